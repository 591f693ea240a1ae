import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from doldari import ModelFileError, load
from doldari.config import ModelConfig
from doldari.data.vocabulary import Vocabulary
from doldari.models.checksum import fingerprint
from doldari.models.model_file import TextModel, build_model, load_model, save_model


@pytest.fixture
def path(tmp_path):
    config = ModelConfig(
        hidden_size=5,
        bidirectional=False,
        embedding_size=3,
        decoder="plain",
        reverse=False,
        target_symbols="whitespace",
    )
    source, target = Vocabulary("characters", ("a", "가")), Vocabulary("whitespace", ("k", "ɡ"))
    model = build_model(config, source, target, rng=np.random.default_rng(0))
    path = tmp_path / "model.safetensors"
    save_model(path, TextModel(model, config, source, target, 7, 4))
    return path


def read_header(path):
    with open(path, "rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))


def described(path):
    """Read a file's description, without its checksum."""
    description = json.loads(read_header(path)["__metadata__"]["doldari"])
    del description["sha256"]
    return description


def write(path, description, weights=None):
    """Write a model's file with any description, and a checksum that fits."""
    weights = load_file(path) if weights is None else weights
    if isinstance(description, dict):
        description = description | {"sha256": fingerprint(description, weights)}
    save_file(weights, path, {"doldari": json.dumps(description)})


def describe(path, **changes):
    """Write the model again with its description changed."""
    write(path, described(path) | changes)


def test_there_and_back(path):
    loaded = load_model(path)
    assert loaded.config.hidden_size == 5
    assert not loaded.config.reverse
    assert loaded.source.symbols == ("a", "가")
    assert (loaded.longest_source, loaded.longest_target, loaded.longer) == (7, 4, None)
    again = path.with_name("again.safetensors")
    save_model(again, loaded)
    assert again.read_bytes() == path.read_bytes()
    save_model(again, loaded._replace(longer=2))
    assert load_model(again).longer == 2
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []


@pytest.fixture
def subword_model(tmp_path):
    """A model with all that a vocabulary can have, as its file."""
    config = ModelConfig(
        hidden_size=5,
        bidirectional=False,
        embedding_size=3,
        source_symbols="subwords",
        source_normalization="NFC",
        target_normalization="NFD",
    )
    source = Vocabulary.build(["the low house", "the house"], "subwords", features=[["V"]], normalization="NFC")
    target = Vocabulary.build(["각난"], "characters", normalization="NFD")
    model = build_model(config, source, target, rng=np.random.default_rng(0))
    path = tmp_path / "subwords.safetensors"
    save_model(path, TextModel(model, config, source, target, 7, 4))
    return path


def test_vocabularies_there_and_back(subword_model):
    loaded = load_model(subword_model)
    assert len(loaded.source.encode("the house\tV")) == 3
    assert loaded.target.decode(loaded.target.encode("낙")) == "낙"
    again = subword_model.with_name("again.safetensors")
    save_model(again, loaded)
    assert again.read_bytes() == subword_model.read_bytes()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"source_subwords": "{}"}, "its subwords cannot be read"),
        ({"source_subwords": 3}, "its subwords cannot be read"),
        ({"source_features": ["V", "V"]}, "different texts"),
        ({"source_features": ["V", "N"]}, r"encoder.embed.W is"),
        ({"target_written": "NFX"}, "target_written='NFX': must be none, NFC or NFD"),
        ({"model": {"source_normalization": "NFX"}}, "source_normalization=NFX: must be one of none, NFC"),
    ],
)
def test_damaged_vocabularies(subword_model, changes, message):
    describe(subword_model, **changes)
    with pytest.raises(ModelFileError, match=message):
        load_model(subword_model)


def test_models_without_the_newer_parts_are_read(path):
    description = described(path)
    for name in ("source_features", "source_subwords", "target_subwords", "target_written"):
        del description[name]
    save_file(load_file(path), path, {"doldari": json.dumps(description)})
    assert load_model(path).source == Vocabulary("characters", ("a", "가"))


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_cut_short(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="cut short"):
        load_model(path)


def test_of_another_kind(path):
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="not a doldari model"):
        load_model(path)
    path.write_text("[model]\n")
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        load_model(path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 2}, "another version of doldari"),
        ({"source": ["a"]}, r"encoder.embed.W is \(5, 3\), expected \(4, 3\)"),
        ({"source": 3}, "not a whole doldari model"),
        ({"source": [["a"], "b"]}, "different texts"),
        ({"source": ["a", "a"]}, "different texts"),
        ({"model": {"hidden_size": "x"}}, "hidden_size='x': must be a whole number"),
        ({"model": {"hidden_size": 10**9, "bidirectional": False}}, r"lstm.Wh is \(5, 20\), expected"),
        ({"model": {"depth": 2}}, "depth: no such setting"),
        ({"longest_target": -1}, "lengths"),
        ({"longest_source": "x"}, "lengths"),
        ({"longer": -1}, "lengths"),
    ],
)
def test_damaged_description(path, changes, message):
    describe(path, **changes)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


def test_missing_and_foreign_weights(path):
    weights = load_file(path)
    weights.pop("decoder.affine.b")
    write(path, described(path), weights)
    with pytest.raises(ModelFileError, match="not those of its configuration"):
        load_model(path)


def test_no_file(tmp_path):
    with pytest.raises(ModelFileError, match="no model file in this directory"):
        load(tmp_path)
    with pytest.raises(ModelFileError, match="no such model"):
        load(tmp_path / "none")


def test_weights_that_are_no_numbers(path):
    weights = load_file(path)
    for spoilt in (np.full_like(weights["decoder.affine.b"], np.nan), weights["decoder.affine.b"].astype(np.int32)):
        write(path, described(path), weights | {"decoder.affine.b": spoilt})
        with pytest.raises(ModelFileError, match=r"decoder\.affine\.b holds what is no finite number"):
            load_model(path)
