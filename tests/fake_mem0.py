"""mem0's ``AsyncMemory`` as far as an adapter sees it, without its models and databases."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

_ENTITIES = ("user_id", "agent_id", "run_id")


class FakeAsyncMemory:
    """Signatures, answers and refusals of mem0's own; likeness is the share of common words."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    async def add(
        self,
        messages: str | list[dict[str, str]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        infer: bool = True,
    ) -> dict[str, Any]:
        assert not infer, "the fake has no model to infer by"
        scope = {"user_id": _checked(user_id), "agent_id": agent_id, "run_id": run_id}
        results = []
        for message in (
            [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        ):
            if message["role"] == "system":
                continue
            now = datetime.now(UTC).isoformat()
            row = {"id": str(uuid.uuid4()), "memory": message["content"], "created_at": now}
            row |= {name: value for name, value in scope.items() if value}
            self.rows[row["id"]] = {
                **row,
                "role": message["role"],
                "metadata": dict(metadata or {}),
            }
            results.append({"id": row["id"], "memory": row["memory"], "event": "ADD"})
        return {"results": results}

    async def search(
        self,
        query: str,
        *,
        top_k: int = 20,
        filters: dict[str, Any] | None = None,
        threshold: float = 0.1,
        **kwargs: Any,
    ) -> dict[str, Any]:
        if not query.strip():
            raise ValueError("Invalid query: cannot be empty or whitespace-only.")
        asked = set(query.lower().split())
        scored = [
            {**row, "score": len(asked & set(row["memory"].lower().split())) / len(asked)}
            for row in self._matching(filters, kwargs)
        ]
        near = [row for row in scored if row["score"] > threshold]
        return {"results": sorted(near, key=lambda row: -row["score"])[:top_k]}

    async def get_all(
        self, *, filters: dict[str, Any] | None = None, top_k: int = 20, **kwargs: Any
    ) -> dict[str, Any]:
        return {"results": self._matching(filters, kwargs)[:top_k]}

    async def delete(self, memory_id: str) -> dict[str, str]:
        if memory_id not in self.rows:
            raise ValueError(f"Memory with id {memory_id} not found")
        del self.rows[memory_id]
        return {"message": "Memory deleted successfully!"}

    def _matching(
        self, filters: dict[str, Any] | None, kwargs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        if set(kwargs) & set(_ENTITIES):
            raise ValueError("Top-level entity parameters are not supported.")
        if not filters or not set(filters) & set(_ENTITIES):
            raise ValueError("filters must contain at least one of: user_id, agent_id, run_id.")
        return [
            dict(row)
            for row in self.rows.values()
            if all({**row["metadata"], **row}.get(name) == v for name, v in filters.items())
        ]


def _checked(user_id: str | None) -> str:
    if not user_id or any(map(str.isspace, user_id)):
        raise ValueError("Invalid user_id: cannot be empty or contain whitespace.")
    return user_id
