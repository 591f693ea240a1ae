import dataclasses
from pathlib import Path

import numpy as np
import pytest

from doldari import ConfigError, ModelFileError
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.joining import join
from doldari.models.kinds import arrays_together
from doldari.models.model_file import (
    build_model,
    describe,
    described_model,
    load_model,
    save_model,
    summary,
)

FROM_0_1_0 = Path(__file__).parent / "from_0_1_0"
PLAIN = load_model(FROM_0_1_0 / "plain.safetensors")
ASKED = ["bana", "zinu", "komi"]


def another(text_model, seed):
    model = build_model(text_model.config, text_model.source, text_model.target, rng=np.random.default_rng(seed))
    return text_model._replace(model=model)


def test_members_answer_together():
    others = [another(PLAIN, seed) for seed in (1, 2)]
    joined = join([PLAIN, *others])
    assert joined.config == dataclasses.replace(PLAIN.config, ensemble=3)
    assert joined.model.members == [PLAIN.model, others[0].model, others[1].model]
    by_hand = PLAIN._replace(model=Ensemble([PLAIN.model, others[0].model, others[1].model]))
    ours, theirs = Predictor(joined), Predictor(by_hand)
    assert ours.predict(ASKED, beam=3, n_best=3) == theirs.predict(ASKED, beam=3, n_best=3)


def test_ensembles_among_them_give_their_members():
    two = load_model(FROM_0_1_0 / "ensemble.safetensors")
    three = join([two, two._replace(model=two.model.members[0], config=dataclasses.replace(two.config, ensemble=1))])
    assert three.config.ensemble == 3
    assert three.model.members == [*two.model.members, two.model.members[0]]
    assert join([two]).model.members == two.model.members


def test_one_alone_stays_as_it_is():
    assert join([PLAIN]) == PLAIN


def test_lengths_are_the_largest():
    other = PLAIN._replace(longest_source=9, longest_target=3, longer=7)
    joined = join([PLAIN, other])
    assert (joined.longest_source, joined.longest_target, joined.longer) == (9, PLAIN.longest_target, 7)
    assert join([PLAIN, other._replace(longer=None)]).longer is None


def changed(**changes):
    return PLAIN._replace(source=dataclasses.replace(PLAIN.source, **changes))


@pytest.mark.parametrize(
    "other, reason",
    [
        (changed(symbols=(*PLAIN.source.symbols, "ż")), "their source symbols differ: only the second has 'ż'"),
        (changed(symbols=PLAIN.source.symbols[1:]), "their source symbols differ: only the first has 'a'"),
        (changed(features=("V",)), "only the second reads features"),
        (
            PLAIN._replace(target=dataclasses.replace(PLAIN.target, symbols=(*PLAIN.target.symbols, "ż"))),
            "their target symbols differ: only the second has 'ż'",
        ),
    ],
)
def test_models_that_do_not_go_together(other, reason):
    with pytest.raises(ConfigError, match=f"^model 1 and model 3 cannot be joined: {reason}$"):
        join([PLAIN, PLAIN, other])
    with pytest.raises(ConfigError, match=f"^a and b cannot be joined: {reason}$"):
        join([PLAIN, other], ["a", "b"])


def test_features_that_differ():
    other = changed(features=("N", "V"))
    with pytest.raises(ConfigError, match=r"their source features differ: only the first has 'N'$"):
        join([other, changed(features=("V",))])


def of_other_kinds():
    """A pointer, whose targets may have symbols of sources; one that writes from right to left; a larger one."""
    symbols = tuple(sorted({*PLAIN.source.symbols, *PLAIN.target.symbols}))
    target = dataclasses.replace(PLAIN.target, symbols=symbols)
    config = dataclasses.replace(PLAIN.config, decoder="pointer")
    pointer = another(PLAIN._replace(config=config, target=target), 1)
    backwards = PLAIN._replace(
        config=dataclasses.replace(PLAIN.config, right_to_left=True),
        target=dataclasses.replace(PLAIN.target, right_to_left=True),
    )
    larger = another(PLAIN._replace(config=dataclasses.replace(PLAIN.config, hidden_size=8)), 2)
    return pointer, backwards, larger


def test_other_kinds_stand_beside_the_first():
    pointer, backwards, larger = of_other_kinds()
    second = another(PLAIN, 5)
    joined = join([PLAIN, pointer, second, backwards, larger], vote="majority")
    assert joined.kinds[1:] == (pointer, backwards, larger)
    assert joined.kinds[0].model.members == [PLAIN.model, second.model]
    assert (joined.config.ensemble, joined.vote) == (2, "majority")
    assert joined.size == sum(kind.size for kind in joined.kinds)
    again = join([joined, another(backwards, 3)])  # of an ensemble every kind gets its own further members
    assert [kind.config.ensemble for kind in again.kinds] == [2, 1, 2, 1]
    assert again.vote == "majority"
    assert again.kinds[1].temperature == pointer.temperature


def test_a_temperature_is_kept_where_nothing_is_averaged():
    pointer, backwards, _ = of_other_kinds()
    joined = join([PLAIN, another(PLAIN, 1), pointer._replace(temperature=2.0), backwards._replace(temperature=0.5)])
    assert [kind.temperature for kind in joined.kinds] == [1.0, 2.0, 0.5]


def test_one_file_holds_all_kinds(tmp_path):
    joined = join([PLAIN, another(PLAIN, 1), *of_other_kinds()], vote="majority")
    save_model(tmp_path / "m.safetensors", joined)
    again = load_model(tmp_path / "m.safetensors")
    assert summary(again) == summary(joined)
    assert [kind._replace(model=None) for kind in again.kinds] == [kind._replace(model=None) for kind in joined.kinds]
    assert again.vote == "majority"
    for vote in ("majority", "log-probability"):
        ours, theirs = (Predictor(one).voting(vote).predict(ASKED, n_best=3) for one in (again, joined))
        assert ours == theirs
    save_model(tmp_path / "again.safetensors", again)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"others": []}, "others \\[\\]: must be the descriptions of further members"),
        ({"others": None}, "others None: must be the descriptions"),
        ({"others": [3]}, "its description is 3"),
        ({"vote": "toss"}, "vote 'toss': must be one of log-probability, majority"),
        ({"vote": 1}, "vote 1: must be"),
    ],
)
def test_descriptions_of_kinds_that_are_none(change, reason):
    pointer, *_ = of_other_kinds()
    joined = join([PLAIN, pointer])
    weights = arrays_together(
        [{name: one.value for name, one in kind.model.weights().items()} for kind in joined.kinds]
    )
    assert described_model(describe(joined), weights).vote == "log-probability"
    with pytest.raises(ModelFileError, match=reason):
        described_model(describe(joined) | change, weights)
    lacking = {name: value for name, value in weights.items() if not name.startswith("kind-2.")}
    with pytest.raises(ModelFileError, match="the weights do not fit its configuration"):
        described_model(describe(joined), lacking)
    with pytest.raises(ModelFileError, match="the weights do not fit its configuration"):
        described_model(describe(joined), weights | {"kind-3.encoder.embed.W": weights["encoder.embed.W"]})
    with pytest.raises(ModelFileError, match="'others': no such entry"):
        described_model(describe(PLAIN) | {"others": [describe(joined)], "vote": "majority"}, weights)


def test_none_and_too_many():
    with pytest.raises(ConfigError, match="no models to join"):
        join([])
    with pytest.raises(ConfigError, match="ensemble=1000: must be at least 1, and below 1,000"):
        join([PLAIN] * 1_000)
