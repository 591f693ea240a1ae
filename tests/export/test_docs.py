"""The examples of docs/export.md, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import make_model

from doldari.export.to_file import export

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_ten_lines_answer(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install '.[test]'")
    model = make_model(sources=["0123456789+"], targets=["0123456789"], longest_target=3, seed=3)
    export(model, tmp_path / "addition.onnx", title="addition")
    ten_lines, steps = re.findall("```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert len(ten_lines.strip().split("\n\n")[1].splitlines()) == 10
    done = subprocess.run(
        [sys.executable, "-c", ten_lines + steps], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    answers, *read = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    expected = model.predict(["16+75", "1+1"])
    assert answers == repr(expected)
    step_by_step = np.array([line.strip("[]").split() for line in read], int).T
    for answer, ids in zip(expected, step_by_step.tolist(), strict=True):
        assert model.text_model.target.decode(ids) == answer[:4]
