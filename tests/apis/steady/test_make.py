"""A network in, the same network out, steady; or the word that nothing is better."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmtempreg.apis import make_steady
from mmtempreg.apis.steady import Steady
from mmtempreg.apis.steady.make import Limits, in_words
from mmtempreg.apis.steady.training import Length
from mmtempreg.visualization import plot_steady, steady_plot
from tests.apis.steady import test_quality

photographs = test_quality.photographs

SOURCE = """
import torch
from torch import nn

class Dirty(nn.Module):
    '''A picture behind a dirty window: a pattern that does not move with it.'''
    def __init__(self, dirt=0.001):
        super().__init__()
        self.dirt = nn.Parameter(torch.tensor(dirt))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        rows, columns = (torch.arange(n, device=x.device) % 2 for n in x.shape[-2:])
        pattern = (rows[:, None] ^ columns) * 2.0 - 1
        return self.gain * x + 60 * self.dirt * pattern
"""


@pytest.fixture
def folder(tmp_path, photographs):
    (tmp_path / "images").mkdir()
    for number in range(12):
        image = cv2.imread(str(photographs[number % 6]))
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), np.roll(image, 9 * number, axis=1))
    (tmp_path / "network.py").write_text(SOURCE)
    return tmp_path


def run(folder, dirt, **options):
    torch.save(dict(params_ema=dict(dirt=torch.tensor(dirt), gain=torch.ones(1))), folder / "before.pth")
    lines = []
    result = make_steady(
        f"{folder / 'network.py'}:Dirty", folder / "before.pth", folder / "images", folder / "after.pth",
        work_dir=folder / "work", value_range="0..1", order="RGB", report=lines.append, **options,
    )  # fmt: skip
    return result, lines


def test_dirt_that_does_not_move_goes(folder):
    result, lines = run(folder, 0.001, iterations=16, min_detail=0.1, invents=False)
    assert result.improved
    assert result.ratio < 0.9
    assert re.search(r"It flickers (\d+ %|\d+\.\d times) less", result.words)
    assert result.iterations == result.planned == 16
    assert "stopped" not in result.words
    after = torch.load(folder / "after.pth")
    assert after.keys() == {"params_ema"}
    assert abs(after["params_ema"]["dirt"]) < 0.0007
    assert any("16 iterations" in line for line in lines)
    told = json.loads((folder / "work" / "steady.json").read_text())
    assert told["strength"] == result.strength
    # what goes on by hand has the same parts
    config = Config.fromfile(folder / "work" / "config.py")
    assert config.model.target == "teacher"
    assert config.train_cfg.max_iters == 16
    plot_steady(folder / "steady.png", result)
    assert cv2.imread(str(folder / "steady.png")).std() > 10
    (folder / "work" / "iter_7.pth").write_bytes(b"somebody else's")
    # the same once more, from what there is
    again, lines = run(folder, 0.001, iterations=16, min_detail=0.1, invents=False)
    assert any("goes on in" in line for line in lines)
    assert (again.iterations, again.strength) == (16, result.strength)
    # other weights under the same name are another training, and what lies beside it is left alone
    other, lines = run(folder, 0.0015, iterations=2, min_detail=0.1, invents=False)
    assert not any("goes on in" in line for line in lines)
    assert other.iterations == 2
    assert (folder / "work" / "iter_7.pth").read_bytes() == b"somebody else's"


def test_a_network_that_is_steady_already_is_left_alone(folder):
    result, _ = run(folder, 0.0, iterations=4)
    assert not result.improved
    assert "Nothing flickers less than the network as it came" in result.words  # its input's noise does
    assert not (folder / "after.pth").exists()


def test_ctrl_c_measures_what_there_is(folder, monkeypatch):
    from mmtempreg.apis.steady import training

    steps = []

    def stop(hook, runner, *args, **kwargs):
        steps.append(runner.iter)
        if runner.iter == last:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Progress, "after_train_iter", stop)
    last = 12
    result, lines = run(folder, 0.001, iterations=1000, min_detail=0.1, invents=False)
    assert any("stopped after 12 of 1000 iterations" in line for line in lines)
    assert result.iterations == 12
    assert result.improved
    assert result.words.endswith("stopped at 12 of 1000 iterations: the same command goes on (with --overwrite).")
    # the same command goes on from there
    steps.clear()
    last = 14
    result, lines = run(folder, 0.001, iterations=1000, min_detail=0.1, invents=False)
    assert steps == [12, 13, 14]
    assert any("stopped after 14 of 1000 iterations" in line for line in lines)


def test_a_training_that_takes_longer_than_planned_is_stopped(folder, monkeypatch):
    from mmtempreg.apis.steady import make

    monkeypatch.setattr(make, "Length", lambda iterations, until, latest: Length(None, until, latest=0))
    result, lines = run(folder, 0.001, minutes=0.02, min_detail=0.1, invents=False)
    assert any("time is up after 0 of 20 iterations" in line for line in lines)
    assert result.iterations == 0


@pytest.mark.slow
def test_several_processes_train_together(folder):
    """In folders of folders, too."""
    for number, path in enumerate(sorted((folder / "images").iterdir())):
        (folder / "images" / str(number % 2)).mkdir(exist_ok=True)
        path.rename(folder / "images" / str(number % 2) / path.name)
    result, _ = run(folder, 0.001, iterations=16, min_detail=0.1, invents=False, gpus=2)
    assert result.iterations == 16
    assert result.improved
    after = torch.load(folder / "after.pth")["params_ema"]
    assert abs(after["dirt"]) < 0.0007
    assert (folder / "work" / "training" / "iter_16.pth").is_file()


def test_too_few_photographs(folder):
    for path in sorted((folder / "images").iterdir())[9:]:
        path.unlink()
    with pytest.raises(ValueError, match=r"has 9 photographs of 112 pixels .* \(9 of any size\): 10 are"):
        run(folder, 0.001, iterations=4)


def found(before, tried, strength=0.0, iterations=1070):
    """What `make_steady` gives, of qualities that were measured."""
    after = tried.get(strength, before)
    ratio = after.flicker / before.flicker
    return Steady(
        out=Path("after.pth") if strength else None, strength=strength, before=before, after=after, tried=tried,
        equivariance=(40.0, 41.0), ratio=ratio, invents=False, iterations=iterations, planned=1070,
    )  # fmt: skip


def quality(flicker, kept=1.0, distance=40.0):
    flickers = [flicker * part for part in (0.99, 1.0, 1.01)]
    return replace(test_quality.quality(flickers, kept), distance=distance)


@pytest.mark.parametrize(
    ("before", "after", "strength", "iterations", "says"),
    [
        (8.74, 8.14, 1.0, 1070, r"^It flickers 7 % less, .* 41\.0 dB\.$"),
        (8.0, 4.0, 1.0, 1070, r"^It flickers 2\.0 times less, "),
        (8.0, 4.0, 1.0, 8, r"was stopped at 8 of 1070 iterations: the same command goes on \(with --overwrite\)\.$"),
        (8.0, 8.0, 0.0, 1070, r"^Nothing flickers less .* No checkpoint was written\.$"),
        (8.0, 8.0, 0.0, 8, r"^Nothing flickers less .* 8 of 1070 iterations: the same command goes on\.$"),
        (0.89, 0.89, 0.0, 1070, r"^The network as it came does not flicker: F is 0\.89, "),
    ],
)
def test_the_verdict(before, after, strength, iterations, says):
    result = found(quality(before), {1.0: quality(after)}, strength, iterations)
    assert re.search(says, in_words(result, Limits(0.9)))


def test_a_limit_that_is_passed_by_little_is_told_to_be():
    result = found(quality(8.0), {1.0: quality(4.0, kept=0.8996)})
    assert "it flickers 2.0 times less, and keeps 0.8996 of the detail (--min-detail 0.9)" in in_words(
        result, Limits(0.9)
    )


def test_what_came_nearest_is_told_and_not_what_flickers_least():
    tried = {0.0: quality(2.0, kept=0.5), 1.0: quality(4.0, kept=0.89)}
    assert "at strength 1 it flickers 2.0 times less, and keeps 0.89 of" in in_words(
        found(quality(8.0), tried), Limits(0.9)
    )


TRIED = {0.5: quality(7.0, 0.95), 0.8125: quality(6.5, 0.899), 1.0: quality(6.0, 0.7)}


def test_the_table_marks_what_was_taken(monkeypatch):
    monkeypatch.syspath_prepend("tools")
    import steady

    headings, rows = steady.table(found(quality(8.0, distance=float("inf")), TRIED, 0.5))
    assert [row[0] for row in rows] == ["as it came", "strength 0.5 *", "strength 0.8125", "strength 1"]
    assert [row[headings.index("K kept")] for row in rows] == ["1.000", "0.950", "0.899", "0.700"]
    assert [row[-1] for row in rows] == ["", "40.00", "40.00", "40.00"]


def test_the_frontier_stays_in_its_axes():
    figure, axis = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    steady_plot._draw_frontier(axis, found(quality(8.0), TRIED, 0.5))
    figure.canvas.draw()
    (_, low), (_, high) = axis.transData.inverted().transform(axis.bbox)
    assert (low, high) == pytest.approx((0, 9.2))
    for text in axis.texts:
        box = text.get_window_extent()
        assert axis.bbox.x0 <= box.x0 < box.x1 <= axis.bbox.x1
    plt.close(figure)


def test_the_command_says_what_became_of_it(folder, monkeypatch, capsys):
    """Its own status where nothing improves."""
    monkeypatch.syspath_prepend("tools")
    monkeypatch.delitem(sys.modules, "steady", raising=False)
    import steady

    torch.save(dict(dirt=torch.tensor(0.0), gain=torch.ones(1)), folder / "before.pth")
    command = ["steady.py", f"{folder / 'network.py'}:Dirty", folder / "before.pth", folder / "images"]
    command += ["--out", folder / "after.pth", "--iterations", 2, "--range", "0..1", "--order", "RGB"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--work-dir", str(folder / "work")])
    with pytest.raises(SystemExit) as stop:
        steady.main()
    assert stop.value.code == steady.NOTHING_IMPROVED
    printed = capsys.readouterr().out
    assert "Nothing flickers less" in printed
    assert "as it came" in printed
    assert (folder / "work" / "steady.png").exists()
