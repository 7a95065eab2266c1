"""One account: its windows, its reservations, and what becomes of those that nobody settles."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.limits.account import Account, Terms
from plano_asgi.limits.windows import CalendarWindow, RollingWindow, Window

MINUTE = RollingWindow(60.0, "minute")


class Book:
    """An account that is kept from call to call."""

    def __init__(self, window: Window, limit: int, ttl_s: float = 900.0) -> None:
        self.terms = Terms(window, limit, ttl_s)
        self.value: bytes | None = None

    def reserve(self, now: float, amount: int) -> bool:
        account = Account(self.value, self.terms, now)
        standing = account.reserve(amount)
        self.value = account.value()
        return standing.is_granted

    def settle(self, now: float, began: float, reserved: int, used: int) -> None:
        account = Account(self.value, self.terms, now)
        account.settle(began, reserved, used)
        self.value = account.value()

    def counted(self, now: float) -> int:
        account = Account(self.value, self.terms, now)
        return sum(account.used.values()) + sum(account.held.values())


@given(
    st.lists(
        st.tuples(
            st.floats(0, 20),  # seconds to the next request
            st.integers(1, 120),
            st.integers(0, 120),
            st.floats(0, 30),  # seconds that it takes
        ),
        max_size=60,
    )
)
def test_no_span_of_the_window_has_more_than_the_limit(
    requests: list[tuple[float, int, int, float]],
) -> None:
    """Of requests that use no more than was reserved for them, however they follow each other."""
    book, now, counted = Book(MINUTE, 100), 1_000_000.0, list[tuple[float, int]]()
    open_holds: list[tuple[float, float, int, int]] = []
    for pause, reserved, used, lasts in requests:
        now += pause
        for hold in [hold for hold in open_holds if hold[0] <= now]:
            open_holds.remove(hold)
            book.settle(hold[0], hold[1], hold[2], hold[3])
        if book.reserve(now, reserved):
            open_holds.append((now + lasts, now, reserved, min(used, reserved)))
            counted.append((now, min(used, reserved)))
    for end, _ in counted:
        assert sum(used for at, used in counted if end - 60 < at <= end) <= 100


def test_what_was_used_returns_within_a_thirtieth() -> None:
    """Never before its time, and at most two seconds of a minute after it."""
    book = Book(MINUTE, 100)
    for offset in (0.0, 0.5, 1.99):
        began = 1_000_000.0 + offset
        assert book.reserve(began, 100)
        book.settle(began, began, 100, 100)
        assert book.counted(began + 59.99) == 100
        assert book.counted(began + 62.01) == 0
        book.value = None


def test_a_reservation_nobody_settles_expires() -> None:
    """After its time, to an eighth; what others hold or have used stays."""
    book = Book(CalendarWindow("month"), 1000, ttl_s=80.0)
    start = datetime(2026, 6, 15, tzinfo=UTC).timestamp()
    assert book.reserve(start, 600)
    assert book.reserve(start + 50, 300)
    book.settle(start + 60, start + 50, 300, 200)
    assert not book.reserve(start + 79, 300)
    assert book.reserve(start + 91, 300)
    assert book.counted(start + 91) == 500


def test_a_late_settlement_is_counted() -> None:
    """A worker that was slow and not dead: its reservation is gone, its use is not."""
    book = Book(CalendarWindow("day"), 1000, ttl_s=80.0)
    start = datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()
    assert book.reserve(start, 600)
    assert book.reserve(start + 200, 500)
    book.settle(start + 250, start, 600, 550)
    assert book.counted(start + 250) == 500 + 550


def test_a_settlement_past_the_window_changes_nothing() -> None:
    """Its request began too long ago to count."""
    book = Book(MINUTE, 100)
    assert book.reserve(1_000_000.0, 80)
    book.settle(1_000_100.0, 1_000_000.0, 80, 80)
    assert book.value is None


@pytest.mark.parametrize(
    ("period", "before", "after"),
    [
        ("day", datetime(2026, 6, 15, 23, 59), datetime(2026, 6, 16)),
        ("month", datetime(2026, 12, 31, 23, 59), datetime(2027, 1, 1)),
        ("month", datetime(2028, 2, 29, 23, 59), datetime(2028, 3, 1)),
    ],
)
def test_calendar_periods_end_at_midnight_utc(
    period: str, before: datetime, after: datetime
) -> None:
    """What was used in one does not count in the next."""
    window = CalendarWindow(period)  # type: ignore[arg-type]  # a parameter
    first, second = (date.replace(tzinfo=UTC).timestamp() for date in (before, after))
    assert window.ends(window.slot(first)) == second == window.begins(window.slot(second))
    book = Book(window, 100)
    assert book.reserve(first, 100)
    book.settle(first, first, 100, 100)
    assert not book.reserve(second - 1, 1)
    assert book.reserve(second, 100)


def test_an_account_stays_small() -> None:
    """However many requests: it is bounded by its window."""
    for window in (RollingWindow(1.0, "second"), MINUTE, RollingWindow(86_400.0, "day")):
        book, now = Book(window, 10**9), 1_000_000.0
        for number in range(2000):
            now += window.slot_s / 3
            assert book.reserve(now, 1)
            if number % 2:
                book.settle(now, now, 1, 5)
        assert len(book.value or b"") < 2500


def test_a_refusal_says_when_there_is_room() -> None:
    """The oldest returns first; what never fits has no time."""
    terms = Terms(MINUTE, 100, 900.0)
    start = 1_200_000.0
    account = Account(None, terms, start)
    account.reserve(40)
    account.settle(start, 40, 40)
    later = Account(account.value(), terms, start + 30)
    later.settle(start + 30, 0, 50)
    standing = later.reserve(30)
    assert (standing.is_granted, standing.remaining) == (False, 10)
    assert standing.retry_after_s == pytest.approx(32.0)
    assert later.reserve(80).retry_after_s == pytest.approx(62.0)
    assert later.reserve(101).retry_after_s is None
    assert later.reserve(101).reset_s == pytest.approx(62.0)
    assert Account(None, terms, start).reserve(101).reset_s == 0.0
    granted = later.reserve(10)
    assert (granted.is_granted, granted.remaining) == (True, 0)
    assert granted.reset_s == pytest.approx(62.0)
