"""doldari compare: what varies is trained once, and compared on the same examples."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from doldari.inference.significance import paired_bootstrap
from doldari.report.comparison import Compared, comparison_figure, comparison_rows, comparison_table
from doldari.training.comparing import variants

QUICK = "--epochs 1 --hidden-size 8 --embedding-size 4 --recipe general"


def test_the_bootstrap_is_that_of_drawn_examples():
    rng = np.random.default_rng(3)
    better, other = rng.random(40) < 0.7, rng.random(40) < 0.55
    rows = rng.integers(40, size=(20_000, 40))
    drawn = (better[rows].sum(1) <= other[rows].sum(1)).mean()
    assert paired_bootstrap(better.tolist(), other.tolist()) == pytest.approx(drawn, abs=0.01)
    assert paired_bootstrap([1.0] * 9, [1.0] * 9) == 1.0
    assert paired_bootstrap([1.0] * 9, [0.0] * 9) == 0.0
    # One example of n is better: it is drawn at least once, or not.
    assert paired_bootstrap([1, 0, 0, 0, 0], [0, 0, 0, 0, 0]) == pytest.approx(0.8**5, abs=0.01)


def test_what_varies_is_combined():
    made = variants(["decoder=attention,peeky", "--dropout=0.1,0.3", "recipe=g2p"])
    assert [variant.name for variant in made] == [
        f"recipe=g2p decoder={decoder} dropout={dropout}"
        for decoder in ("attention", "peeky")
        for dropout in ("0.1", "0.3")
    ]
    assert made[0].settings == {"decoder": "attention", "dropout": 0.1}
    assert made[0].place(2) == "recipe=g2p,decoder=attention,dropout=0.1,seed=2"
    (variant,) = variants(["bidirectional=no"])
    assert variant.settings == {"bidirectional": False}
    assert [variant.settings for variant in variants(["lr=0.1,1e-3"])] == [{"learning_rate": x} for x in (0.1, 1e-3)]
    assert [variant.name for variant in variants([])] == [""]


def test_a_table_and_a_picture():
    good = Compared("good", [[True] * 9 + [False], [True] * 8 + [False] * 2], [100.0, 200.0])
    bad = Compared("[b]ad", [[False] * 9 + [True], [False] * 10], [None, None])
    heads, first, second = comparison_rows([bad, good])
    assert heads == ("", "accuracy", "deviation", "95 % interval", "p", "time")
    assert (first[0], first[1], first[2], first[4], first[5]) == ("good", "85.00%", "7.07", "best", "2 min")
    assert (second[0], second[1], second[5]) == ("[b]ad", "5.00%", "")
    assert second[4] == "< 0.001"
    low, high = good.interval
    assert 0.6 < low < 0.85 < high <= 1.0
    assert comparison_table([bad, good])[1].startswith("good     85.00%       7.07")
    figure = comparison_figure([bad, good], "title")
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["good", "[b]ad"]
    assert not math.isnan(good.mean)
    never = Compared("never", [[False] * 4, [False] * 4], [1.0, 1.0])
    lowest, highest = comparison_figure([never, never], "title").axes[0].get_xlim()
    assert -0.01 < lowest < 0 < highest


def test_what_varies_is_trained_once_and_compared(cli, pairs):
    done = cli(f"compare {pairs} --vary decoder=attention,peeky --seeds 2 {QUICK}")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("training pairs, ") == 4
    table = done.out[done.out.index("accuracy  deviation") :].splitlines()
    assert sorted(line.split()[0] for line in table[1:3]) == ["decoder=attention", "decoder=peeky"]
    assert table[3].startswith(f"4 examples of {pairs}; ")
    out = Path("runs/compare-pairs")
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    places = [f"decoder={decoder},seed={seed}" for decoder in ("attention", "peeky") for seed in (0, 1)]
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == places
    record = json.loads((out / places[0] / "run.json").read_text())
    (out / places[0] / "run.json").write_text(json.dumps(record | {"status": "stopped"}))
    again = cli(f"compare {pairs} --vary decoder=attention,peeky --seeds 2 {QUICK}")
    assert again.out.count("trained already") == 3
    assert "nothing left to train" in again.out
    other = cli(f"compare {pairs} --vary decoder=attention,peeky --seeds 2 {QUICK} --batch-size 9")
    assert other.err.startswith(
        f"error: {out / places[0]}: was trained with batch_size 64, not 9; choose another --out"
    )
    runs = " ".join(str(out / place) for place in places[1:3])
    compared = cli(f"compare {runs} --out both")
    assert (compared.code, compared.err) == (0, "")
    assert f"4 examples of {pairs}" in compared.out
    Path("test.tsv").write_text("aa\ta\nbb\tb\n")
    assert "2 examples of test.tsv" in cli(f"compare {runs} --test test.tsv --beam-size 2 --out both").out


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--vary decoder", "--vary decoder: must be a setting and its values, such as decoder=attention,peeky"),
        ("--vary hiden=3", "--vary hiden=3: must be a setting and its values"),
        ("--vary decoder=peeky --vary decoder=plain", "each setting once"),
        ("--vary seed=1,2", "--vary seed=1,2: seeds are the same for all; give their number (--seeds 3)"),
        ("--vary hidden_size=8,x", "--vary hidden_size=x: must be a whole number"),
        ("--vary tie=maybe", "--vary tie=maybe: must be yes or no"),
        ("--vary decoder=peeky,nothing", "--decoder nothing: must be one of plain, peeky, attention"),
        ("--vary recipe=g2p,nothing", "--recipe nothing: no such recipe"),
        ("--vary dropout=0.1 --dropout 0.2", "--dropout 0.2: varies already (--vary dropout)"),
    ],
)
def test_what_cannot_vary_is_refused_before_anything_is_trained(cli, pairs, arguments, message):
    refused = cli(f"compare {pairs} {arguments}")
    assert refused.code == 1
    assert message in refused.err
    assert "training pairs" not in refused.out


def test_runs_that_cannot_be_compared(cli, pairs):
    assert cli(f"train {pairs} {QUICK} --out one").code == 0
    assert cli(f"train {pairs} {QUICK} --out two --validation {pairs}").code == 0
    assert cli("compare one").err == "error: one: only one run; give at least two, or a file of pairs to train on\n"
    assert cli("compare one two").err == (
        "error: two: was validated with other pairs than one; give pairs to compare on (--test)\n"
    )
    assert cli("compare one two --seeds 2").err.startswith("error: --seeds: not for finished runs")
    assert cli("compare - --seeds 2").err.startswith("error: -: standard input is read once")
