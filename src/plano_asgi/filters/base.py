"""
The contract of a filter: a step before the model call, one on the answer, or both.

    class Rewrite(Filter):
        async def on_request(self, exchange):
            exchange.replace_body({**exchange.body, "temperature": 0})

        def on_answer(self, exchange):
            return MyResponseFilter()
"""

from __future__ import annotations

from typing import Any

from plano_asgi.exchange import Exchange, ResponseFilter


class Filter:
    """
    One link of a filter chain. The base class changes nothing. One instance serves all exchanges
    at once: what belongs to one lives in ``exchange.state`` or in its ``ResponseFilter``.
    """

    name = "filter"
    protocol = "function"
    """How it is asked: for spans."""

    @property
    def facts(self) -> dict[str, Any]:
        """What spans say of it: ``protocol``, and ``address`` and ``port`` of a service."""
        return {"protocol": self.protocol}

    async def on_request(self, exchange: Exchange, /) -> None:
        """
        Change the exchange before the model call: ``replace_body``, or in place and ``touch``.

        Raises:
            AnswerInstead: Answer this, and ask no model.
            PlanoError: Stop with this error.
        """

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter | None:
        """A fresh response-side step for this exchange, or ``None`` for none."""
        return None

    async def aclose(self) -> None:
        """Close what the filter holds open; it opens again on its next use."""
