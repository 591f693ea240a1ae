"""Models of every architecture with random weights, to be exported."""

import dataclasses

import numpy as np

from doldari.config import ModelConfig
from doldari.data.vocabulary import Vocabulary
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, build_model

ARCHITECTURES = {
    "plain LSTM": {"decoder": "plain"},
    "plain GRU, two layers, bidirectional": {"decoder": "plain", "cell": "gru", "layers": 2, "bidirectional": True},
    "plain, tied": {"decoder": "plain", "tie": True, "embedding_size": 8},
    "peeky, two layers, reversed": {"decoder": "peeky", "layers": 2, "reverse": True},
    "peeky GRU, bidirectional": {"decoder": "peeky", "cell": "gru", "bidirectional": True},
    "attention": {"bidirectional": True},
    "attention, reversed, tied": {"reverse": True, "tie": True},
    "dot attention, GRU, three layers, bidirectional": {
        **{"attention": "dot", "cell": "gru", "layers": 3, "bidirectional": True, "tie": True},
    },
    "ensemble, attention": {"ensemble": 3, "bidirectional": True},
    "ensemble, peeky, reversed": {"ensemble": 2, "decoder": "peeky", "reverse": True},
    "features": {"bidirectional": True, "features": ["V", "N", "PST", "é"]},
    "shared vocabulary": {"shared_vocabulary": True, "decoder": "plain"},
    "calibrated": {"temperature": 1.7},
    "calibrated ensemble": {"temperature": 0.6, "ensemble": 2},
    "words": {
        **{"source_symbols": "words", "target_symbols": "words"},
        **{"sources": ["it's a dog, (no)!", "the cat"], "targets": ["un chien, le chat!", "non"]},
    },
    "graphemes to whitespace, jamo": {
        **{"source_symbols": "graphemes", "target_symbols": "whitespace", "source_normalization": "NFC"},
        **{"sources": ["가게 é👩‍🚀", "나무e"], "targets": ["k a̠ː ɡ", "n a m u"]},
    },
    "jamo to jamo": {
        **{"source_normalization": "NFD", "target_normalization": "NFD"},
        **{"sources": ["가게 값", "나무"], "targets": ["가게 값", "나무"]},
    },
    "lengths": {"longer": 2, "longest_source": 5, "longest_target": 7},
    "right to left, reversed": {"right_to_left": True, "reverse": True},
    "transducer": {"decoder": "transducer", "bidirectional": True, "targets": ("abxyz", 'dw"\\')},
    "transducer GRU, two layers, right to left": {
        **{"decoder": "transducer", "cell": "gru", "layers": 2, "right_to_left": True, "targets": ("abcd", "xé")},
    },
    "transducer, features, right to left": {
        **{"decoder": "transducer", "bidirectional": True, "right_to_left": True, "targets": ("abcd", "xé")},
        **{"features": ["V", "N", "PST", "é"], "seed": 5},
    },
    "transducers, phones": {
        **{"decoder": "transducer", "ensemble": 2, "target_symbols": "whitespace", "source_normalization": "NFD"},
        **{"sources": ["가게 é", "나무e"], "targets": ["k a̠ː ɡ", "n a m u"], "temperature": 1.3},
    },
}
TRANSDUCERS = [name for name, settings in ARCHITECTURES.items() if settings.get("decoder") == "transducer"]
# To be quantized.
SOME = ("peeky GRU, bidirectional", "attention, reversed, tied", "ensemble, attention", TRANSDUCERS[-2])


def make_model(
    sources=("abcd", "d😀<é"),
    targets=("xyz", 'w"\\'),
    features=(),
    temperature=1.0,
    longer=None,
    longest_source=9,
    longest_target=6,
    copies=False,
    seed=4,
    **settings,
):
    config = ModelConfig(**{"hidden_size": 8, "embedding_size": 4, "bidirectional": False} | settings)
    normalizations = [{"normalization": getattr(config, f"{side}_normalization")} for side in ("source", "target")]
    source = Vocabulary.build(sources, config.source_symbols, features=[features], **normalizations[0])
    target = Vocabulary.build(targets, config.target_symbols, **normalizations[1])
    if config.shared_vocabulary:
        target = source
    target = dataclasses.replace(target, right_to_left=config.right_to_left)
    rng = np.random.default_rng(seed)
    members = [build_model(config, source, target, rng=rng) for _ in range(config.ensemble)]
    for member in members:
        member.parameters.values[...] = rng.standard_normal(member.parameters.values.size)
        for name, parameter in member.parameters.items():  # so that the answers differ
            parameter.value[...] *= 3.0 if name.endswith("embed.W") else 0.3 if name.endswith("b") else 1.0
    model = Ensemble(members) if config.ensemble > 1 else members[0]
    return Predictor(
        TextModel(model, config, source, target, longest_source, longest_target, longer, temperature, copies)
    )
