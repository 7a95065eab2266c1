"""Finding attempts to change a model's instructions: what ``guards.jailbreak`` is made of."""

from plano_asgi.guards.injection.scoring import Judgement, Scorer
from plano_asgi.guards.injection.second_stage import LocalClassifier, SecondStage

__all__ = ["Judgement", "LocalClassifier", "Scorer", "SecondStage"]
