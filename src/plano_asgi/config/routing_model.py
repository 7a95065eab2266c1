"""``overrides.llm_routing_model``: which of the configured models chooses among preferences."""

from __future__ import annotations

import re

import structlog

from plano_asgi.config.issues import ConfigError, Issue, near, shown
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.errors import AmbiguousModel, RequestError
from plano_asgi.routing.names import Names

_PATH = "overrides.llm_routing_model"
_HOSTED = re.compile(
    r"(?:(?:plano|katanemo|katanemolabs)/)?(?:plano-orchestrator|arch-router)[\w.-]*", re.IGNORECASE
)
_MAX_SHOWN = 8
_log = structlog.get_logger("plano_asgi")


def routing_model(config: PlanoConfig, names: Names) -> str | None:
    """
    The name by which to ask the routing model; ``None`` if no model is to be asked.

    As in Plano, what follows the first ``/`` may name it, too. Plano's own routers, where none of
    them is configured, are those that it hosts itself: no conversation is sent there unasked, a
    warning says so, and the gateway chooses by itself.

    Raises:
        ConfigError: Nobody serves it, or several do. The default entry does not stand in for it.
    """
    wanted = config.overrides.llm_routing_model
    if wanted is None:
        return None
    for name in dict.fromkeys((wanted, wanted.partition("/")[2] or wanted)):
        if _is_served(name, names):
            return name
    if not _HOSTED.fullmatch(wanted):
        raise ConfigError([_unknown(wanted, names)])
    _log.warning(
        "configuration",
        detail=f"{_PATH}: Plano would send conversations to the {wanted} that it hosts, this "
        "gateway chooses routes by itself: to have a model choose, list it in model_providers "
        f"(plano/{wanted.rpartition('/')[2]} is Plano's own)",
    )
    return None


def _is_served(name: str, names: Names) -> bool:
    try:
        return names.resolve(name).reason != "default"
    except AmbiguousModel as exc:
        raise ConfigError([Issue(path=_PATH, message=str(exc), value=shown(name))]) from None
    except RequestError:
        return False


def _unknown(wanted: str, names: Names) -> Issue:
    known = [info.id for info in names.models()]
    more = f" and {len(known) - _MAX_SHOWN} more" if len(known) > _MAX_SHOWN else ""
    hint = near(wanted, known) or f"; configured: {', '.join(known[:_MAX_SHOWN])}{more}"
    return Issue(path=_PATH, message=f"is no configured model{hint}", value=shown(wanted))
