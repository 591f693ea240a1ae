"""Little predictors whose answers differ, for tests of what can be asked of them."""

import numpy as np

from doldari.config import ModelConfig
from doldari.data.vocabulary import Vocabulary
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, build_model

SOURCES = ["ab", "abba", "ba", "bcb", "aaabbb", "c"]


def make_predictor(ensemble=False, **settings):
    config = ModelConfig(**{"hidden_size": 6, "embedding_size": 3, "decoder": "attention"} | settings)
    source, target = Vocabulary.build(["abc"], "characters"), Vocabulary.build(["xyz"], "characters")
    rng = np.random.default_rng(4)
    members = [build_model(config, source, target, rng=rng) for _ in range(3)]
    for member in members:
        member.parameters.values[...] = rng.standard_normal(member.parameters.values.size) * 1.5
    return Predictor(TextModel(Ensemble(members) if ensemble else members[0], config, source, target, 6, 5))
