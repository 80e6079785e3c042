"""CONTRIBUTING.md: what it says can be added is added to a copy of the package, and its tests pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def patched(text, diff):
    """A file with the lines added that a diff of one place adds; its other lines must be there, once."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines)
    assert text.count(before) == 1, diff
    return text.replace(before, after)


@pytest.mark.slow
def test_the_examples_work_as_they_stand(tmp_path):
    shutil.copytree(ROOT / "mmtempreg", tmp_path / "mmtempreg", ignore=shutil.ignore_patterns("__pycache__", ".mim"))
    for name in ("__init__.py", "conftest.py"):
        (tmp_path / "tests").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
    sections = {part.splitlines()[0]: part for part in PAGE.split("\n### ")[1:]}
    assert list(sections) == ["A transform", "A loss", "A metric", "A dataset", "A family of models"]
    tests = []
    for section in sections.values():
        files = re.findall(r"```python\n# (\S+)\n(.*?)```", section, flags=re.S)
        assert len(files) == 2, "a source and its test"
        for name, content in files:
            path = tmp_path / name
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            tests += [name] * name.startswith("tests/")
        diffs = re.findall(r"```diff\n--- (\S+)\n(.*?)```", section, flags=re.S)
        assert len({name for name, _ in diffs}) == 1, "one other file"
        for name, diff in diffs:
            (tmp_path / name).write_text(patched((tmp_path / name).read_text(), diff))
    environment = dict(os.environ, PYTHONPATH=str(tmp_path))
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
    ]
    result = subprocess.run([*command, *tests], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:]
    assert f"{len(tests)} passed" in result.stdout
