"""Words shared by the readers and the writers of this dialect."""

from __future__ import annotations

from uuid import uuid4

NAME = "openai.responses"
"""The dialect's name: the provenance of its parts, and the key of its marks in ``extras``."""

ENCRYPTED_REASONING = "reasoning.encrypted_content"
TEXT_LOGPROBS = "message.output_text.logprobs"


def new_id(prefix: str) -> str:
    """A fresh id as this API spells them: ``resp_``, ``msg_``, ``fc_``, ``ctc_``, ``rs_``, ..."""
    return f"{prefix}_{uuid4().hex}"
