"""Draw the pictures of docs/: python scripts/pictures.py [NAME ...], a minute or two; files go to docs/pictures.

They are SVG with text as paths, so that they look the same with any fonts.  `compare` is drawn only when it is named:
it trains the chapter's four models as `doldari compare addition` does, for some minutes, and writes docs/compare.png.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import drawings
import plots
from matplotlib import rc_context

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = {
    "rooms": drawings.rooms,
    "seq2seq": drawings.seq2seq,
    "peeky": drawings.peeky,
    "pointer": plots.pointer,
    "transducer": plots.transducer,
    "rotary": plots.rotary,
    "padding": plots.padding,
    "reversal": plots.reversal,
    "attention": plots.attention,
    "beam": plots.beam,
    "reliability": plots.calibration,
}


def compare() -> None:
    """Train the chapter's models as the command does, and keep the picture."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "doldari", "compare", "addition"], cwd=folder, check=True)
        shutil.copy(Path(folder) / "runs" / "compare-addition" / "accuracy.png", DOCS / "compare.png")
    print("docs/compare.png")


def main() -> None:
    """Draw those that are named, or all but `compare`."""
    (DOCS / "pictures").mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        if name == "compare":
            compare()
            continue
        with rc_context({"svg.hashsalt": name}):
            PICTURES[name]().savefig(DOCS / "pictures" / f"{name}.svg", metadata={"Date": None})
        print(f"docs/pictures/{name}.svg")


if __name__ == "__main__":
    main()
