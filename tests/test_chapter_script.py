import os
import subprocess
import sys
from pathlib import Path

from doldari.data.addition import addition_pairs
from doldari.data.formats import chapter_lines

SCRIPT = Path(__file__).parents[1] / "examples" / "chapter.py"


def test_the_chapters_script_runs(tmp_path):
    """One epoch on little data, and with its own switches turned to reversed and peeky."""
    (tmp_path / "addition.txt").write_text("\n".join(chapter_lines(lambda: addition_pairs(600))))
    script = SCRIPT.read_text("utf-8")
    for old, new in (
        ("max_epoch = 50", "max_epoch = 1"),
        ("is_reverse = False", "is_reverse = True"),
        ("\nmodel = Seq2seq(", "\nmodel = PeekySeq2seq("),
    ):
        assert old in script
        script = script.replace(old, new)
    (tmp_path / "script.py").write_text(script, "utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "| epoch 1 | step 1 / 5 |" in done.stdout
    assert done.stdout.count("\nT ") == 10
    assert "검증 정확도" in done.stdout
