"""The benchmark of a training step, tiny."""

import sys
from pathlib import Path

import pytest

from testing import forked

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_each_option_is_measured():
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.training_speed"]
    done = forked.run(
        [*command, "--batch", "4", "--size", "32", "--rounds", "2"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    names = [row[0].strip("| ") for row in rows]
    assert names[:2] == ["float32", "without channels_last"]
    assert {"a quarter regularised", "fused Adam", "a single pass"} <= set(names)
    assert names.count("float32") == 2  # each alone, and together
    assert all(float(row[2].strip("| ")) > 0 for row in rows)


@pytest.mark.slow
def test_the_cost_of_anti_aliasing_is_measured():
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.anti_aliasing",
        "--small",
        "--networks",
        "hdr",
        "color",
    ]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == ["hdr", "color"]
    assert all(float(cell.split()[0]) > 0 for row in rows for cell in row[1:])
