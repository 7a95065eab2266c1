"""
State of the Responses API, kept by us for every provider.

``ResponsesState`` is the step; ``PlanoTable`` reads what Plano kept before.
"""

from plano_asgi.state.conversations import Conversations
from plano_asgi.state.history import Earlier
from plano_asgi.state.plano_table import PlanoTable
from plano_asgi.state.responses_state import ResponsesState

__all__ = ["Conversations", "Earlier", "PlanoTable", "ResponsesState"]
