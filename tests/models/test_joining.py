import dataclasses
from pathlib import Path

import numpy as np
import pytest

from doldari import ConfigError
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.joining import join
from doldari.models.model_file import build_model, load_model

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
        ("gru", "decoder is plain in the one and attention in the other"),
        ("attention-dot", "decoder is plain in the one and attention in the other"),
        (
            PLAIN._replace(config=dataclasses.replace(PLAIN.config, hidden_size=8)),
            "hidden_size is 6 in the one and 8 in the other",
        ),
        (changed(symbols=(*PLAIN.source.symbols, "ż")), "their source symbols differ: only the second has 'ż'"),
        (changed(symbols=PLAIN.source.symbols[1:]), "their source symbols differ: only the first has 'a'"),
        (changed(symbols=PLAIN.source.symbols[::-1]), "their source symbols differ in order"),
        (changed(features=("V",)), "their source features differ: only the second has 'V'"),
        (changed(subwords="{}"), "their source_subwords differ"),
    ],
)
def test_models_that_do_not_go_together(other, reason):
    other = load_model(FROM_0_1_0 / f"{other}.safetensors") if isinstance(other, str) else other
    with pytest.raises(ConfigError, match=f"^model 1 and model 3 cannot be joined: {reason}$"):
        join([PLAIN, PLAIN, other])
    with pytest.raises(ConfigError, match=f"^a and b cannot be joined: {reason}$"):
        join([PLAIN, other], ["a", "b"])


def test_none_and_too_many():
    with pytest.raises(ConfigError, match="no models to join"):
        join([])
    with pytest.raises(ConfigError, match="ensemble=1000: must be at least 1, and below 1,000"):
        join([PLAIN] * 1_000)
