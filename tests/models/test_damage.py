"""Damage to a model's file: whatever it is, the file is refused, or it was harmless."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from doldari import DataError, ModelFileError, load
from doldari.inference.predictor import Predictor
from doldari.models.checksum import fingerprint, weights_sha256
from doldari.models.description import LARGEST_WEIGHT, MOST_SYMBOLS
from doldari.models.model_file import describe, described_model, load_model, save_model

FROM_0_1_0 = Path(__file__).parent / "from_0_1_0"
KINDS = sorted(path.stem for path in FROM_0_1_0.glob("*.safetensors"))
MODELS = {kind: load_model(FROM_0_1_0 / f"{kind}.safetensors") for kind in KINDS}
WEIGHTS = {kind: load_file(FROM_0_1_0 / f"{kind}.safetensors") for kind in KINDS}


def ask(text_model):
    """Ask a model in all ways; of what it cannot know nothing but a DataError is raised."""
    predictor = Predictor(text_model)
    source = text_model.source
    texts = [source.cut("".join(source.symbols[:1])), source.symbols[:3], source.symbols[-2:]]
    texts = [" ".join(text) if source.kind in ("whitespace", "words") else "".join(text) for text in texts]
    if source.features:
        texts = [f"{text}\t{source.features[-1]}" for text in texts]
    target = text_model.target.decode([3] if len(text_model.target) > 3 else [])
    for text in texts:
        for unknown in ("error", "copy"):
            try:
                assert isinstance(predictor.predict([text], unknown=unknown)[0], str)
                ((answer, *_),) = predictor.predict([text], unknown=unknown, beam=2, n_best=2)
                (drawn,) = predictor.sample([text], unknown=unknown)
                scores = [answer.score, drawn.score, *predictor.score([(text, target)], unknown=unknown)]
                assert np.isfinite(scores).all()
                (answer.text + drawn.text).encode()
            except DataError:
                pass


@pytest.mark.parametrize("kind", ["plain", "features"])
def test_flipped_bits(tmp_path, kind):
    whole, path = tmp_path / "whole.safetensors", tmp_path / "flipped.safetensors"
    save_model(whole, MODELS[kind])
    content = whole.read_bytes()
    head = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    bits = [
        *range(64),
        *rng.integers(64, 8 * head, 600).tolist(),
        *rng.integers(8 * head, 8 * len(content), 200).tolist(),
    ]
    refused, again = 0, tmp_path / "again.safetensors"
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            loaded = load_model(path)
        except ModelFileError as error:
            refused += 1
            if bit >= 8 * head:
                assert "flipped.safetensors: damaged: its checksum does not fit" in str(error)
        else:
            save_model(again, loaded)
            assert again.read_bytes() == content, bit
    assert refused > 0.99 * len(bits)


def test_checksums():
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 2), np.float32)}
    one = weights_sha256(weights)
    assert (
        one
        == weights_sha256(dict(reversed(weights.items())))
        == weights_sha256(weights | {"a": weights["a"].T.copy().T})
    )
    assert len(bytes.fromhex(one)) == 32
    others = [
        weights | {"a": weights["a"].reshape(3, 2)},
        weights | {"a": weights["a"].astype(np.float64)},
        weights | {"a": weights["a"].T.copy()},
        weights | {"b": np.zeros((2, 0), np.float32)},
        {"b": weights["a"], "a": weights["b"]},
        {"a": weights["a"]},
    ]
    assert len({one, *map(weights_sha256, others)}) == 7
    assert fingerprint({"x": 1, "y": 2}, weights) == fingerprint({"y": 2, "x": 1}, weights)
    assert len({fingerprint(of, weights) for of in ({"x": 1}, {"x": "1"}, {"x": [1]}, {})}) == 4


def test_a_changed_file_of_0_1_0_is_not_noticed_but_a_new_one_is(tmp_path):
    for kind, noticed in (("plain", True), ("plain-old", False)):
        path = tmp_path / f"{kind}.safetensors"
        old = (FROM_0_1_0 / "plain.safetensors").read_bytes()
        path.write_bytes(old)
        if noticed:
            load(path).save(path)
        path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
        if noticed:
            with pytest.raises(ModelFileError, match="damaged: its checksum does not fit"):
                load(path)
        else:
            load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind):
    text_model = described_model(json.loads(json.dumps(describe(MODELS[kind]))), WEIGHTS[kind])
    assert describe(text_model) == describe(MODELS[kind])
    for name, parameter in text_model.model.weights().items():
        np.testing.assert_array_equal(parameter.value, WEIGHTS[kind][name])


@pytest.mark.parametrize("kind", KINDS)
def test_weights_just_below_the_bound_make_scores(kind, implementation):
    rng = np.random.default_rng(0)
    signs = {
        name: np.where(rng.random(array.shape) < 0.5, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.float32)
        for name, array in WEIGHTS[kind].items()
    }
    for weights in (signs, {name: np.abs(array) for name, array in signs.items()}):
        ask(
            described_model(
                describe(MODELS[kind]), {name: np.float32(0.999) * array for name, array in weights.items()}
            )
        )


@pytest.mark.parametrize("value", [1e38, -1e38, 1.1e15, np.inf, np.nan, np.float64(1e300)])
def test_weights_above_the_bound_are_refused(value):
    for name, array in WEIGHTS["plain"].items():
        spoilt = array.astype(np.float64 if abs(value) == 1e300 else np.float32)
        spoilt.flat[-1] = value
        with pytest.raises(ModelFileError, match=f"{name} holds"):
            described_model(describe(MODELS["plain"]), WEIGHTS["plain"] | {name: spoilt})


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.sampled_from([2**31, 2**63, 10**400, 1.5, -0.0, float("inf"), float("nan")]),
    st.text(max_size=3),
    st.sampled_from(["", "\ud800", "a\udfff", "{}", "[]", "가", "\u1100", "\x00", " ", "▁"]),
    st.sampled_from(["none", "NFC", "NFD", "NFKC", "characters", "graphemes", "whitespace", "words", "subwords"]),
    st.sampled_from(["plain", "peeky", "attention", "dot", "gru", "lstm"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)


@st.composite
def damaged(draw):
    """Change a description in one to three places: a value replaced, left out, put in, or there twice."""
    kind = draw(st.sampled_from(KINDS))
    description = json.loads(json.dumps(describe(MODELS[kind])))
    for _ in range(draw(st.integers(1, 3))):
        place = description
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(place[key], dict | list) or draw(st.integers(0, 3)) == 0:
                break
            place = place[key]
        change = draw(st.sampled_from(["replace", "leave out", "put in", "twice"]))
        if change == "put in" or key is None:
            if isinstance(place, dict):
                place[draw(st.text(max_size=3))] = draw(values)
            else:
                place.append(draw(values))
        elif change == "replace":
            place[key] = draw(values)
        elif change == "leave out":
            del place[key]
        elif isinstance(place, list):
            place.append(place[key])
    return kind, description


@settings(max_examples=400, deadline=None, derandomize=True)
@given(damaged())
def test_any_description_is_refused_or_answers(one):
    kind, description = one
    try:
        text_model = described_model(description, WEIGHTS[kind])
    except ModelFileError as error:
        assert str(error).startswith("not a valid doldari model: ")
        assert len(str(error)) < 400
    else:
        ask(text_model)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 700), st.sampled_from(["", "x", '"', "0", "null", "{", "\ud800", "▁"]), st.integers(0, 5))
@example(0, "", 0)
def test_any_tokenizer_is_refused_or_answers(at, put, cut):
    for side in ("source", "target"):
        description = describe(MODELS["subwords"])
        text = description[f"{side}_subwords"]
        description[f"{side}_subwords"] = text[:at] + put + text[at + cut :]
        try:
            text_model = described_model(description, WEIGHTS["subwords"])
        except ModelFileError:
            continue
        ask(text_model)


@pytest.mark.parametrize(
    "kind, changes, message",
    [
        ("plain", {"longest_target": MOST_SYMBOLS + 1}, "must be whole numbers of at most 10,000,000"),
        ("plain", {"longest_target": True}, "must be whole numbers"),
        ("plain", {"longer": 99}, "do not fit each other"),
        ("plain", {"target_written": "NFC"}, "target_written='NFC': must be none"),
        ("plain", {"target_written": []}, "must be none, NFC or NFD"),
        ("plain", {"target_subwords": "{}"}, "target_subwords: must be empty"),
        ("plain", {"target_subwords": None}, "target_subwords: must be empty"),
        ("plain", {"sha257": "0"}, "'sha257': no such entry"),
        ("plain", {"source_features": ["\ud800"]}, "half a surrogate pair"),
        ("plain", {"source_features": [""]}, "the source features are not different texts"),
        ("subwords", {"target_subwords": "{}"}, "target_subwords: its subwords cannot be read"),
        ("subwords", {"target_subwords": 3}, "target_subwords: its subwords cannot be read"),
        ("subwords", {"target_subwords": ""}, "target_subwords: its subwords cannot be read"),
        (
            "subwords",
            {"source_subwords": describe(MODELS["subwords"])["target_subwords"]},
            "not the symbols of its voc",
        ),
        ("features", {"source_features": ["V;PST", " V"]}, "'V;PST' is no feature"),
    ],
)
def test_entries(kind, changes, message):
    with pytest.raises(ModelFileError, match=message):
        described_model(describe(MODELS[kind]) | changes, WEIGHTS[kind])


@pytest.mark.parametrize(
    "kind, symbol, message",
    [
        ("plain", "\ud800", "half a surrogate pair"),
        ("plain", "", "not different texts"),
        ("plain", "ab", "'ab' is no symbol of characters"),
        ("graphemes-nfd", "가", "'가' is no symbol of characters, NFD"),
        ("whitespace", "a b", "'a b' is no symbol of whitespace"),
    ],
)
def test_symbols(kind, symbol, message):
    description = describe(MODELS[kind])
    description["target"][0] = symbol
    with pytest.raises(ModelFileError, match=message):
        described_model(description, WEIGHTS[kind])


@pytest.mark.parametrize("name", ["truncation", "normalizer", "pre_tokenizer", "post_processor", "padding"])
def test_tokenizers_of_others(name):
    description = describe(MODELS["subwords"])
    tokenizer = json.loads(description["source_subwords"])
    parts = {
        "truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "�",
        },
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    }
    tokenizer[name] = parts[name]
    description["source_subwords"] = json.dumps(tokenizer)
    with pytest.raises(ModelFileError, match="source_subwords: its subwords are not such as doldari makes"):
        described_model(description, WEIGHTS["subwords"])


@pytest.mark.parametrize(
    "changes",
    [
        {"continuing_subword_prefix": "####"},  # the library panics over it
        {"dropout": 0.5},
        {"byte_fallback": True},
        {"unk_token": None},
        {"merges": [["h", "q"]]},
        {"merges": ["h e"]},
        {"merges": [["h", "e", "t"]]},
        {"merges": [[1, 2]]},
        {"type": "WordPiece"},
    ],
)
def test_byte_pair_encodings_of_others(changes):
    description = describe(MODELS["subwords"])
    tokenizer = json.loads(description["source_subwords"])
    tokenizer["model"] |= changes
    description["source_subwords"] = json.dumps(tokenizer)
    with pytest.raises(ModelFileError, match="source_subwords: its subwords are not such as doldari makes"):
        described_model(description, WEIGHTS["subwords"])


def test_absurd_sizes_are_refused_before_a_model_is_made(monkeypatch):
    monkeypatch.setattr("doldari.models.model_file.build_model", lambda *_: pytest.fail("made a model"))
    for setting in ("hidden_size", "embedding_size", "layers", "ensemble"):
        description = describe(MODELS["plain"])
        description["model"][setting] = 998 if setting in ("layers", "ensemble") else 2**31 - 2
        with pytest.raises(ModelFileError, match=r"expected|not those of its configuration"):
            described_model(description, WEIGHTS["plain"])
        empty = {name: array[:0] for name, array in WEIGHTS["plain"].items()}
        with pytest.raises(ModelFileError):
            described_model(description, empty)
