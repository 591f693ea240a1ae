"""Trains the small models beside this file, and records what they answer: with doldari 0.1.0, and with no other.

pip install 'doldari[constraints,dates,metrics,subwords]==0.1.0' && python make.py

The files are what users of 0.1.0 have on their disks; later versions are tested on them, so they are never made anew.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import doldari

HERE = Path(__file__).parent
STEMS = ["bana", "deko", "gilu", "moti", "pasa", "ruve", "zinu", "kola", "tame", "suri"]
WORDS = [(stem, stem[::-1] + "t") for stem in STEMS]
ASKED = ["bana", "komi", "z", "surigilu"]
HANGUL = [(stem, f"{stem[0]} {stem[1]} ŋ") for stem in ["가나", "각난", "나가", "난각", "가난", "각나"]]
FORMS = [(f"{stem}\t{tag}", stem + ending) for stem in STEMS for tag, ending in [("V;PST", "et"), ("V;PRS", "is")]]
SENTENCES = [(f"the {a} and the {b}", f"le {b} et le {a}") for a in STEMS[:5] for b in STEMS[:3]]
SMALL: dict[str, object] = {
    "hidden_size": 6,
    "wordvec_size": 4,
    "epochs": 120,
    "batch_size": 4,
    "learning_rate": 0.03,
    "dropout": 0.0,
}
KINDS = {
    "plain": (WORDS, ASKED, {"decoder": "plain", "bidirectional": False, "reverse": True}),
    "peeky": (WORDS, ASKED, {"decoder": "peeky", "bidirectional": False}),
    "attention-general": (WORDS, ASKED, {"bidirectional": False}),
    "attention-dot": (WORDS, ASKED, {"attention": "dot", "reverse": True, "bidirectional": False}),
    "gru": (WORDS, ASKED, {"cell": "gru", "bidirectional": False}),
    "two-layers": (WORDS, ASKED, {"layers": 2, "bidirectional": False, "hidden_size": 5}),
    "bidirectional": (WORDS, ASKED, {"bidirectional": True}),
    "bidirectional-gru-two-layers": (WORDS, ASKED, {"cell": "gru", "layers": 2, "hidden_size": 4}),
    "tie": (WORDS, ASKED, {"tie": True}),
    "shared-vocabulary": (WORDS, ASKED, {"shared_vocabulary": True}),
    "features": (FORMS, ["bana\tV;PST", "z\tV"], {}),
    "subwords": (
        SENTENCES,
        ["the bana and the moti", "the the"],
        {"source_symbols": "subwords", "target_symbols": "subwords", "subword_count": 20},
    ),
    "whitespace": (SENTENCES, ["the bana and", "and"], {"source_symbols": "words", "target_symbols": "whitespace"}),
    "graphemes-nfd": (
        [(f"{source} {target}", target) for source, target in HANGUL],
        ["가나 가", "난"],
        {"source_symbols": "graphemes", "source_normalization": "NFD", "target_normalization": "NFD"},
    ),
    "ensemble": (WORDS, ASKED, {"ensemble": 2, "hidden_size": 4, "decoder": "plain", "bidirectional": False}),
}


def answers(model, pairs, asked):
    """Ask a model in all ways: greedily, by a beam, drawn; and score its first pairs."""
    return {
        "asked": asked,
        "greedy": model.predict(asked, unknown="unknown"),
        "beam": model.predict(asked, beam=3, n_best=2, unknown="unknown"),
        "drawn": model.sample(asked, seed=3, unknown="unknown"),
        "pairs": pairs[:3],
        "scores": model.score(pairs[:3]),
    }


def main():
    assert doldari.__version__ == "0.1.0", f"this is doldari {doldari.__version__}"
    expected = {}
    for name, (pairs, asked, settings) in KINDS.items():
        model = doldari.train(pairs, validation=pairs, progress=False, **SMALL | settings)
        model.save(HERE / f"{name}.safetensors")
        expected[name] = answers(doldari.load(HERE / f"{name}.safetensors"), pairs, asked)
    run = HERE / "run"
    pairs_file = HERE / "pairs.tsv"
    pairs_file.write_text("".join(f"{source}\t{target}\n" for source, target in WORDS), "utf-8")
    command = f"train {pairs_file} --out {run} --validation {pairs_file} --epochs 8 --hidden-size 4 --wordvec-size 4"
    subprocess.run(
        [
            Path(sys.executable).with_name("doldari"),
            *command.split(),
            "--batch-size",
            "2",
            "--learning-rate",
            "0.05",
            "--overwrite",
        ],
        check=True,
    )
    (run / "accuracy.png").unlink()
    pairs_file.unlink()
    expected["run"] = answers(doldari.load(run), WORDS, ASKED)
    lines = [f"{json.dumps(name)}: {json.dumps(of, ensure_ascii=False)}" for name, of in expected.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    shutil.rmtree(HERE / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main()
