"""What a store's keys may be, how they sort, and how a store says that it is down."""

from __future__ import annotations

from plano_asgi.errors import StoreUnavailable

MAX_KEY_CHARS = 512
_RETRY_AFTER_S = 1.0


def check_key(key: str) -> None:
    """
    Refuse what is no key.

    Raises:
        ValueError: It is empty or over ``MAX_KEY_CHARS``. Never shows it.
    """
    if not 0 < len(key) <= MAX_KEY_CHARS:
        raise ValueError(f"a store's key has 1 to {MAX_KEY_CHARS} characters, not {len(key)}")


def key_bytes(key: str) -> bytes:
    """*key* as databases keep it; these bytes sort as the texts do. Raises as ``check_key``."""
    check_key(key)
    return key.encode("utf-8", "surrogatepass")


def key_text(key: bytes) -> str:
    """The text that ``key_bytes`` made *key* of."""
    return key.decode("utf-8", "surrogatepass")


def prefix_range(prefix: str) -> tuple[bytes, bytes]:
    """The first key with *prefix* and the first after all of them, as bytes."""
    first = prefix.encode("utf-8", "surrogatepass")
    if not first:
        return b"", b"\xff"  # a byte that no UTF-8 text has
    return first, first[:-1] + bytes((first[-1] + 1,))


def counter(value: bytes | None) -> int:
    """
    The number that *value* says; 0 for none.

    Raises:
        ValueError: It is no counter.
    """
    if value is None:
        return 0
    try:
        return int(value)
    except ValueError:
        raise NotACounter from None


class NotACounter(ValueError):
    """``add`` was called on a key whose value is something else."""

    def __init__(self) -> None:
        super().__init__("the value at this key is no counter")


class KeyUnavailable(StoreUnavailable):
    """The store answers, but not for this key: others are served as ever."""


def unavailable(
    store: str, reason: str, kind: type[StoreUnavailable] = StoreUnavailable
) -> StoreUnavailable:
    """
    The error for *store*, of this *kind*; *reason* is ours or a code, never a driver's text or a
    URL.
    """
    error = kind(f"the store in {store} cannot be used: {reason}")
    error.retry_after_s = _RETRY_AFTER_S
    return error
