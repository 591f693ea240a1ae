"""The plots of docs/, from small models that are trained here, or from formulas (see pictures.py)."""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import doldari
from doldari.data import sequence
from doldari.data.addition import addition_pairs
from doldari.data.vocabulary import PADDING, START
from doldari.inference import metrics
from doldari.inference.calibration import calibration_error, fitted_temperature, reliability
from doldari.inference.predictor import Predictor
from doldari.layers import TimeTransducer
from doldari.layers.pointer import log_sigmoid
from doldari.layers.softmax_loss import log_softmax
from doldari.report.attention import attention_figure

BLUE, ORANGE, GREY = "#2a6f97", "#d1495b", "#9aa3ad"
VERBS = "walk talk look jump play ask open help cook push pull wash watch kick pick call clean climb start want"
PAST = [(verb, verb + "ed") for verb in VERBS.split()] * 4
VERBS_IN_Y = "carry hurry marry study copy reply apply deny rely bury worry tidy cry dry fry spy"


def padding() -> Figure:
    """Show how far a state moves while padding is read, and while it is masked."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "addition.txt"
        lines = (f"{pair.source:<7}_{pair.target:<4}\n" for pair in addition_pairs(20_000))
        file.write_text("".join(lines), "utf-8")
        (x, t), _ = sequence.load_data(str(file))
        char_to_id, _ = sequence.get_vocab()
    model = doldari.Seq2seq(len(char_to_id), 16, 128, rng=np.random.default_rng(0))
    trainer = doldari.Trainer(model, doldari.Adam(), rng=np.random.default_rng(0))
    trainer.fit(x, t, max_epoch=3, batch_size=128, max_grad=5.0, eval_interval=None)
    text = "16+75   "
    ids = np.array([[char_to_id[symbol] for symbol in text]], np.int32)
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for mask, colour, marker, label in (
        (None, ORANGE, "o", "padding read as a symbol"),
        (ids != char_to_id[" "], BLUE, "s", "padding masked"),
    ):
        hs = model.encoder.forward(ids, mask)[0].hs[0]
        axes.plot(np.linalg.norm(hs - hs[4], axis=-1), color=colour, marker=marker, label=label)
    axes.axvspan(4.5, 7.5, color=GREY, alpha=0.2, linewidth=0)
    axes.set_xticks(range(len(text)), [symbol if symbol != " " else "pad" for symbol in text])
    axes.set(xlabel="position in the source", ylabel="distance of the state h\nfrom that after 16+75", ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def reversal() -> Figure:
    """Show the steps between every symbol of a source and every one of its target."""
    source, target = "16+75", "91"
    S, T = len(source), len(target)
    j, t = np.arange(1, S + 1)[None, :], np.arange(1, T + 1)[:, None]
    figure = Figure(figsize=(6.4, 2.4), layout="constrained")
    for axes, steps, title in zip(
        figure.subplots(1, 2), (S - j + t, j - 1 + t), ("forwards", "reversed"), strict=True
    ):
        axes.imshow(steps, cmap="Blues_r", vmin=0, vmax=S + T)
        for row in range(T):
            for column in range(S):
                number = steps[row, column]
                axes.text(column, row, number, ha="center", va="center", color="white" if number < 4 else "black")
        axes.set_xticks(range(S), source)
        axes.set_yticks(range(T), target)
        axes.set(xlabel="symbol of the source", ylabel="symbol of\nthe target", title=f"steps, {title}")
    return figure


def attention() -> Figure:
    """Show where a model looks that writes texts backwards."""
    model = doldari.train("reverse", count=20_000, epochs=3, dropout=0.0, seed=0, progress=False)
    return attention_figure(model.attention("doldari"), "doldari, written backwards")


def beam() -> Figure:
    """Show a beam of three, step by step."""
    model = doldari.train(
        PAST, validation=PAST, hidden_size=64, epochs=40, batch_size=16, label_smoothing=0.0, seed=1, progress=False
    ).text_model
    scores, steps = np.zeros(1), []  # scores (R,) of the hypotheses that have not ended, at most three
    places = [0]  # their ranks in the step before
    state = model.model.encode(np.array([model.source.encode("lick")], np.int32))
    previous = np.array([START], np.int32)
    while len(places) > 0:
        raw, state = model.model.step(previous, state)
        logs = log_softmax(raw) + scores[:, None]
        every = [(logs[row, id], row, int(id)) for row in range(len(places)) for id in np.argsort(-logs[row])[:3]]
        every.sort(reverse=True)
        steps.append(
            [(places[row], model.target.decode([id]) if id else "end", score) for score, row, id in every[:6]]
        )
        open_ones = [
            (place, *one) for place, one in enumerate(every[: len(places) if len(steps) > 1 else 3]) if one[2]
        ]
        places = [place for place, _, _, _ in open_ones]
        scores = np.array([score for _, score, _, _ in open_ones])
        if open_ones:
            state = model.model.select(state, np.array([row for _, _, row, _ in open_ones]))
            previous = np.array([id for _, _, _, id in open_ones], np.int32)
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    width = 3
    for step, candidates in enumerate(steps, 1):
        for place, (parent, symbol, score) in enumerate(candidates):
            colour = BLUE if place < width else GREY
            axes.plot([step - 1, step], [-parent, -place], color=colour, linewidth=1, alpha=0.6, zorder=1)
            axes.scatter(step, -place, s=330, color=colour, zorder=2)
            axes.text(step, -place, symbol, color="white", ha="center", va="center", fontsize=9, zorder=3)
            axes.text(step, -place - 0.46, f"{score:.2f}", ha="center", va="center", fontsize=7, color="#444")
        width -= sum(symbol == "end" for _, symbol, _ in candidates[:width])
    axes.scatter(0, 0, s=330, color=BLUE, zorder=2)
    axes.set(xlabel="step: the symbol that was added", ylabel="rank in the step", ylim=(-5.9, 0.6))
    axes.set_xticks(range(len(steps) + 1))
    axes.set_yticks(range(0, -6, -1), range(1, 7))
    axes.spines[:].set_visible(False)
    return figure


def calibration() -> Figure:
    """Show the shares of right answers by probability, before and after calibration."""
    model = doldari.train("addition", count=40_000, epochs=2, label_smoothing=0.2, seed=0, progress=False)
    pairs = addition_pairs(4_000, seed=9)
    halves = pairs[:2_000], pairs[2_000:]
    fitted = metrics.evaluate(model, halves[0], detailed=True)
    temperature = fitted_temperature(
        model.text_model, [pair.source for pair in fitted.pairs], fitted.right, "unknown"
    )
    calibrated = Predictor(model.text_model._replace(temperature=temperature))
    figure = Figure(figsize=(6.8, 3.4), layout="constrained")
    for axes, asked, title in zip(figure.subplots(1, 2), (model, calibrated), ("before", "after"), strict=True):
        evaluation = metrics.evaluate(asked, halves[1], detailed=True)
        bins = reliability(evaluation.probabilities, evaluation.right)
        axes.bar(
            [one.low for one in bins],
            [one.accuracy for one in bins],
            1 / len(bins),
            align="edge",
            color=BLUE,
            edgecolor="white",
        )
        axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
        axes.set(xlabel="probability of the answer", ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"{title}: ECE {calibration_error(bins):.1%}", fontsize=10)
        axes.set_aspect("equal")
    return figure


def pointer() -> Figure:
    """Show which share of each symbol's probability was copied."""
    settings = {"hidden_size": 64, "epochs": 40, "batch_size": 16, "label_smoothing": 0.0}
    text_model = doldari.train(
        PAST, validation=PAST, decoder="pointer", seed=1, progress=False, **settings
    ).text_model
    answer = Predictor(text_model)("lick")
    model, ids = text_model.model, text_model.target.encode(answer)
    read, written = np.array([[START, *ids]], np.int32), [*ids, PADDING]
    _, _, cache = model.decoder.forward(read, model.encode([text_model.source.encode("lick")]))
    parts = cache.score.pointer
    shares = 1.0 - np.exp(log_sigmoid(parts.gates) + parts.written - parts.logs)
    copied = shares[np.arange(len(written)), written]
    figure = Figure(figsize=(5.2, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(len(written)), copied, color=BLUE, label="copied")
    axes.bar(range(len(written)), 1.0 - copied, bottom=copied, color=GREY, label="written")
    axes.set_xticks(range(len(written)), [*answer, "end"])
    axes.set(xlabel="symbol of the answer", ylabel="share of its probability", ylim=(0, 1))
    figure.legend(frameon=False, loc="outside right upper")
    return figure


def transducer() -> Figure:
    """Show at which place of the source a model may be standing after every symbol it wrote."""
    pairs = PAST + [(verb, verb[:-1] + "ied") for verb in VERBS_IN_Y.split()] * 4
    settings = {"hidden_size": 64, "epochs": 20, "batch_size": 16, "label_smoothing": 0.0}
    text_model = doldari.train(
        pairs, validation=pairs[::4], decoder="transducer", seed=0, progress=False, **settings
    ).text_model
    source, answer = "try", Predictor(text_model)("try")
    model, ids = text_model.model, text_model.target.encode(answer)
    read, written = np.array([[START, *ids]], np.int32), [*ids, PADDING]
    _, _, cache = model.decoder.forward(read, model.encode([text_model.source.encode(source)]))
    lattices = [step.lattice for step in cache.steps]
    after = [TimeTransducer.after(one.arrivals, np.array([id]))[0] for one, id in zip(lattices, written, strict=True)]
    places = np.array([lattices[0].places[0], *after])
    inserted = [
        (one.reached[0] * one.inserted[:, id]).sum() / np.exp(one.logs[0, id])
        for one, id in zip(lattices, written, strict=True)
    ]
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(places, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), share in np.ndenumerate(places):
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{share:.2f}" if share >= 0.005 else "", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(source) + 1), [*source, "end"])
    axes.set_yticks(range(len(places)), ["nothing", *answer, "end"])
    axes.set(xlabel="place in the source", ylabel="symbol written last")
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(1, len(places)), ["inserted" if share > 0.5 else "copied" for share in inserted])
    right.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, ticks=[0.0, 0.5, 1.0], label="probability of standing there")
    bar.outline.set_visible(False)
    axes.spines[:].set_visible(False)
    right.spines[:].set_visible(False)
    return figure


def rotary() -> Figure:
    """Show what the product of a vector with itself becomes, rotated, at each distance (Su et al. 2021, 3.4.3)."""
    size = 64
    frequencies = 10_000.0 ** (-np.arange(0, size, 2) / size)
    distances = np.arange(0, 65)
    figure = Figure(figsize=(5.6, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(distances, np.cos(distances[:, None] * frequencies).mean(axis=1), color=BLUE)
    axes.set(xlabel="distance between the two positions", ylabel="product, 1 at distance 0", xlim=(0, 64))
    axes.axhline(0, color=GREY, linewidth=0.8)
    return figure
