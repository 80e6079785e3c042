"""CONTRIBUTING.md: its examples are added to a copy of the package, which passes what a change has to pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SECTIONS = {part.splitlines()[0]: part for part in PAGE.split("\n## Results")[0].split("\n### ")[1:]}
ADDED = [
    *("A transform", "A loss", "A metric", "A dataset"),
    *("A family of models", "A model whose prediction is no map", "A hook"),
]
OUR_OWN = [
    "tests/test_examples.py",
    "tests/test_rooms.py",
    "tests/test_signatures.py",
    "tests/utils/test_validation.py::test_all_of_them_are_checked",
    "tests/experiments/test_experiments.py::test_our_documents_say_what_our_files_say[docs/metrics.md]",
]
"""Tests of the suite that see what is added anywhere."""


def patched(text, diff):
    """A file with the lines added that a diff of one place adds; its other lines must be there, once."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines)
    assert text.count(before) == 1, diff
    return text.replace(before, after)


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A copy of what is checked, with the examples added; and the paths of their tests."""
    copy, tests = tmp_path_factory.mktemp("copy"), []
    left_out = shutil.ignore_patterns("__pycache__", ".mim")
    for name in ("mmtempreg", "testing", "experiments", "docs", "pyproject.toml", "CONTRIBUTING.md"):
        path = ROOT / name
        shutil.copytree(path, copy / name, ignore=left_out) if path.is_dir() else shutil.copy(path, copy)
    for name in ("tests/__init__.py", "tests/conftest.py", *(test.split("::")[0] for test in OUR_OWN)):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for title in ADDED:
        files = re.findall(r"```python\n# (\S+)\n(.*?)```", SECTIONS[title], flags=re.S)
        assert len(files) == 2, "a source and its test"
        for name, content in files:
            path = copy / name
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            tests += [name] * name.startswith("tests/")
        diffs = re.findall(r"```diff\n--- (\S+)\n(.*?)```", SECTIONS[title], flags=re.S)
        assert len({name for name, _ in diffs}) == 1, "one other file"
        for name, diff in diffs:
            (copy / name).write_text(patched((copy / name).read_text(), diff))
    return copy, tests


def run(copy, *command):
    environment = dict(os.environ, PYTHONPATH=str(copy), PYTHONWARNINGS="ignore")
    done = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_all_examples_are_tried():
    assert list(SECTIONS) == ADDED


def test_lint_and_types_of_the_examples_as_they_stand(added):
    copy, _ = added
    run(copy, "-m", "ruff", "check", "--no-cache", ".")
    run(copy, "-m", "ruff", "format", "--check", "--no-cache", ".")
    if (ROOT / ".mypy_cache").is_dir():  # of `make lint`, which knows the hundreds of files that are not changed
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    run(copy, "-m", "mypy")


@pytest.mark.slow
def test_the_examples_work_as_they_stand(added):
    copy, tests = added
    for title in ADDED:
        for command in re.findall(r"`python (-m [^`]*)`", SECTIONS[title]):
            run(copy, *command.split())
    assert "| `mean_error` |" in (copy / "docs" / "metrics.md").read_text()
    options = ["-p", "no:cacheprovider", "--import-mode=importlib"]
    out = run(copy, "-m", "pytest", *options, *tests, *OUR_OWN)
    assert re.search(r"^\d+ passed", out, flags=re.M), out
