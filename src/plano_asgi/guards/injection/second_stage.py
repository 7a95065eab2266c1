"""
A local neural classifier for what rules and model are not sure about. Needs the extra ``guard``.

The model is the int8 MiniLM classifier inside the ``stackone-defender`` wheel (Apache-2.0), read
from there and run with ONNX Runtime: nothing is downloaded, and none of that package's code runs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from plano_asgi.embeddings.wordpiece import WordPiece
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.loops import Threads

_PACKAGES = ("onnxruntime", "numpy", "stackone_defender")
_MODEL = Path("models", "minilm-multihead-v5")
_WIDTHS = (32, 64, 128, 256)  # padded to one of these: a text's score does not depend on others'


class SecondStage(Protocol):
    """Says how much each of a few short texts looks like an attack."""

    async def log_odds(self, texts: Sequence[str], /) -> list[float]:
        """One log-odds per text, in order."""
        ...


class LocalClassifier:
    """
    The local classifier. Loads on first use, and works in worker threads.

    Args:
        max_tokens: Of one text; the model reads no more than 256.
        threads: CPU threads of one run.
        concurrency: Runs at the same time.

    Raises:
        MissingExtra: The extra ``guard`` is not installed.
    """

    def __init__(self, *, max_tokens: int = 256, threads: int = 1, concurrency: int = 2) -> None:
        if not self.is_installed():
            raise MissingExtra("The local injection classifier", "guard")
        if not 3 <= max_tokens <= 256 or min(threads, concurrency) < 1:
            raise ConfigurationError("max_tokens is 3 to 256, the other numbers at least 1")
        self._max_tokens, self._threads = max_tokens, threads
        self._lock = threading.Lock()
        self._workers = Threads(concurrency)
        self._model: tuple[Any, WordPiece] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether the extra ``guard`` is there."""
        return all(find_spec(name) is not None for name in _PACKAGES)

    async def log_odds(self, texts: Sequence[str], /) -> list[float]:
        """One log-odds per text, in order."""
        return await self._workers.run(self.log_odds_now, list(texts))

    def log_odds_now(self, texts: Sequence[str]) -> list[float]:
        """As ``log_odds``, in the calling thread: for scripts."""
        session, tokenizer = self._loaded()
        return [_run(session, tokenizer.encode(t, max_tokens=self._max_tokens)) for t in texts]

    def _loaded(self) -> tuple[Any, WordPiece]:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> tuple[Any, WordPiece]:
        import onnxruntime

        spec = find_spec("stackone_defender")
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent / _MODEL
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(folder / "model_quantized.onnx"), options, providers=["CPUExecutionProvider"]
        )
        return session, WordPiece.from_tokenizer_json(folder / "tokenizer.json")


def _run(session: Any, ids: Sequence[int]) -> float:
    """The first output of the model: the logit that the text is an injection."""
    import numpy as np

    width = next((width for width in _WIDTHS if len(ids) <= width), _WIDTHS[-1])
    tokens = np.zeros((1, width), dtype=np.int64)
    mask = np.zeros_like(tokens)
    tokens[0, : len(ids)] = ids
    mask[0, : len(ids)] = 1
    (logits,) = session.run(None, {"input_ids": tokens, "attention_mask": mask})
    return float(logits[0][0])
