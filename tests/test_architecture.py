"""The rules of the design that a program can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import doldari

SOURCE = Path(doldari.__file__).parent
# Each part may import those before it, and the parts that all may import.
ORDER = [
    *(
        "kernels",
        "layers",
        "gradients",
        "models",
        "chapter",
        "engines",
        "inference",
        "training",
        "export",
        "report",
        "display",
        "api",
        "web",
        "cli",
        "__main__",
    )
]
FOR_ALL = {
    "arrays",
    "config",
    "data",
    "errors",
    "files",
    "hub",
    "mixing",
    "percent",
    "recipes",
    "run_files",
    "settings",
    "torchrun",
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name):
    return name.split(".")[1] if name.startswith("doldari.") else None


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path):
    part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if part == "__init__":
        return
    imported = {part_of(name) for name in imports(path)} & ({*ORDER} | FOR_ALL)
    if part in FOR_ALL:
        assert imported <= FOR_ALL
    else:
        allowed = {*ORDER[: ORDER.index(part) + 1]} - ({"training"} if part == "report" else set())
        assert imported <= allowed | FOR_ALL


def test_only_the_torch_engine_imports_torch():
    engine = SOURCE / "engines" / "torch"
    using = [path for path in SOURCE.rglob("*.py") if any(name.split(".")[0] == "torch" for name in imports(path))]
    assert using
    assert all(path.is_relative_to(engine) for path in using)
    importing = [path for path in SOURCE.rglob("*.py") if any("engines.torch" in name for name in imports(path))]
    assert all(path.is_relative_to(SOURCE / "engines") for path in importing)


@pytest.mark.parametrize(
    "code, absent",
    [
        ("import doldari; doldari.load, doldari.Trainer", ["torch", "matplotlib", "typer", "rich"]),
        ("import doldari.cli", ["torch", "matplotlib", "numpy"]),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code, absent):
    check = f"import sys; {code}; print([name for name in {absent} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "[]"


def test_public_names():
    for name in doldari.__all__:
        assert getattr(doldari, name).__doc__, name
    assert set(doldari.__all__) <= set(dir(doldari))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        doldari.nothing  # noqa: B018


def test_type_hints_are_shipped():
    assert (SOURCE / "py.typed").is_file()
