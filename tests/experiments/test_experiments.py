"""Sweeps: the grid, the file of results, the runs, the tables and the plots."""

import csv
import json
import math
import multiprocessing
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from skimage import data

from experiments import rivals
from experiments.fill_tables import filled, table_of
from experiments.grid import ALPHAS, KNOWN, ROOT, STRATEGIES, TASKS, cells
from experiments.plot_sweep import Points, length_figure, pareto, position
from experiments.results import append_result, one_of_each_seed, read_results
from experiments.sweep import Sweep
from experiments.table import markdown, parse_group, rivals_table
from mmtempreg.datasets import ClipDataset
from mmtempreg.openmmlab.checkpoints import anti_aliasing_of
from mmtempreg.openmmlab.configs import config_hash
from mmtempreg.video import open_frames
from mmtempreg.video.image_files import write_image
from testing import forked


def row(strategy, alpha, seed, psnr, s, r, task="hdr"):
    values = {"TemporalFlicker": 4 * r, "TemporalFlicker_E_warp": 0.01 * r, "TemporalFlicker_E_warp_truth": 0.002}
    values |= {"SpatialDetail": 0.9, "SaturatedPSNR": psnr, "TemporalSmoothness": s, "TemporalResidual": r}
    metrics = {f"{prefix}/{name}": v for prefix in ("procedural", "pans") for name, v in values.items()}
    return dict(task=task, strategy=strategy, alpha=alpha, seed=seed, config_hash="x", **metrics)


# ---------------------------------------------------------------- the grid


def test_the_papers_grid():
    grid = cells("hdr", STRATEGIES, list(STRATEGIES), None, range(10))
    assert len(grid) == 1 + 10 * (2 + 4 * len(ALPHAS))
    assert len(set(grid)) == len(grid) == len({cell.name for cell in grid})
    seeds = [cell.seed for cell in grid]
    assert seeds == sorted(seeds)  # whole curves first
    with pytest.raises(ValueError, match="no strategy 'magic'"):
        cells("hdr", STRATEGIES, ["magic"], None, [0])


HDR_ALONE = ("photographed_twice", "photographs_shifted", "scratch_aa")
"""What photographs radiance."""


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task in TASKS
        for name, strategy in KNOWN.items()
        if strategy.config and (task == "hdr" or name not in HDR_ALONE)
    ],
)
def test_every_strategy_builds_what_it_says(task, name):
    strategy = KNOWN[name]
    (cell,) = cells(task, {name: strategy}, [name], [0.7], [3])
    config = cell.train_config(strategy, TASKS[task].schedules["short"])
    model = MODELS.build(config.model)
    assert config.randomness.seed == 3
    assert (anti_aliasing_of(model.state_dict()) is not None) == name.endswith("_aa")
    if name == "scratch_aa":
        assert config.load_from is None
        return
    assert not Path(config.load_from).is_absolute()
    assert (ROOT / config.load_from).exists()
    hooks = [hook["type"] for hook in config.custom_hooks]
    assert ("NormEvalHook" in hooks) != name.endswith("_batch")
    assert hooks[:4] == ["StrictLoadHook", "ExactResumeHook", "FiniteLossHook", "AccelerationHook"]
    if name.startswith(("taught", "steady")):
        assert (model.teacher.checkpoint, model.teacher.shift) == (config.load_from, 8)
    if name.startswith(("finetune", "taught")):
        assert getattr(model, "regularizer", None) is None
        return
    assert model.regularizer.seed == 3
    assert model.regularizer.alpha == (0.7 if strategy.alphas else 0.5)
    assert model.regularizer.num_transforms == {"two": 2, "clip3": 2, "clip5": 4}.get(
        name.split("_")[-1 if "two" in name else 0], 1
    )


def test_a_hash_changes_with_the_config_and_not_with_the_folder():
    strategy = STRATEGIES["transinv"]
    (a,) = cells("hdr", STRATEGIES, ["transinv"], [0.8], [0])
    one, two = (a.train_config(strategy, {}) for _ in range(2))
    two.work_dir = "elsewhere"
    assert config_hash(one) == config_hash(two)
    assert config_hash(one) != config_hash(a.train_config(strategy, {"optim_wrapper.optimizer.lr": 1e-3}))


# ---------------------------------------------------------------- results


def test_results_come_back_and_a_repeated_cell_replaces_itself(tmp_path):
    path = tmp_path / "results" / "hdr.csv"
    assert read_results(path) == []
    append_result(path, row("transinv", 0.8, 0, 20, 1, 0.5))
    append_result(path, row("transinv", 0.8, 1, 21, 1, 0.5))
    append_result(path, {**row("transinv", 0.8, 0, 22, 1, 0.5), "more": 3})
    rows = read_results(path)
    assert [(r["seed"], r["pans/SaturatedPSNR"], r["more"]) for r in rows] == [("1", "21", ""), ("0", "22", "3")]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="lacks the columns"):
        read_results(path)


def test_no_row_counts_twice_and_none_is_cut(tmp_path):
    path, other = tmp_path / "hdr.csv", tmp_path / "more.csv"
    for seed in (0, 1):
        append_result(path, row("transinv", 0.8, seed, 20 + seed, 1, 0.5))
    whole = path.read_text()
    last = whole.splitlines()[-1]
    path.write_text(whole + 3 * f"{last}\n")
    with pytest.raises(ValueError, match=r"hdr\.csv holds .*'strategy': 'transinv'.*'seed': '1'.* more than once"):
        read_results(path)
    for cut in (1, 2, len(last) // 2, len(last)):
        path.write_text(whole[:-cut])
        with pytest.raises(ValueError, match=r"hdr\.csv: row 2 is cut off"):
            read_results(path)
    path.write_text(whole)
    shutil.copy(path, other)  # the same cells in two files are those of one
    assert len(one_of_each_seed([*read_results(path), *read_results(other)])) == 2
    append_result(other, {**row("transinv", 0.8, 1, 25, 1, 0.5), "config_hash": "y"})
    with pytest.raises(ValueError, match="two results for .*'seed': '1'.*of the configs x and y"):
        one_of_each_seed(read_results(other))


def _append(path, worker):
    for i in range(10):
        append_result(path, row("transinv", 0.8, 10 * worker + i, 20, 1, 0.5))


def test_several_processes_lose_no_row(tmp_path):
    path = tmp_path / "hdr.csv"
    workers = [multiprocessing.get_context("fork").Process(target=_append, args=(path, i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(int(r["seed"]) for r in read_results(path)) == list(range(40))


# ---------------------------------------------------------------- tables and plots

ROWS = [
    row("baseline", "", 0, 20, 1.1, 0.7),
    row("finetune", "", 0, 21, 1.0, 0.72),
    row("finetune", "", 1, 21.2, 1.0, 0.74),
    *(
        row(
            "transinv", alpha, seed, 21 - position(alpha) + 0.1 * seed, 1 + position(alpha), 0.7 - 0.1 * position(alpha)
        )
        for alpha in (0.5, 0.9, 0.99)
        for seed in (0, 1)
    ),
]


def tool(name, *arguments, ok=True):
    command = [sys.executable, "-m", f"experiments.{name}", *map(str, arguments)]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stderr[-3000:]
    return done.stdout + done.stderr


def written(rows):
    """As they come out of a file."""
    return [{k: str(v) for k, v in r.items()} for r in rows]


def test_the_table_has_mean_spread_and_number_of_seeds():
    lines = markdown(written(ROWS), [(name, "") for name in STRATEGIES], "pans").splitlines()
    assert lines[0] == "| | F | K | PSNR [dB] | S | R | E_warp | seeds |"
    assert lines[2] == "| *the truth itself* | 1.00 | 1.000 |  | 1.000 | 0.000 | 0.002 |  |"
    assert lines[3] == "| baseline | 2.80 | 0.900 | 20.00 | 1.100 | 0.700 | 0.007 | 1 |"
    plain = "2.92 ± 0.06 | 0.900 ± 0.000 | 21.10 ± 0.14 | 1.000 ± 0.000 | 0.730 ± 0.014 | 0.0073 ± 0.00014"
    assert lines[4] == f"| plain fine-tuning | {plain} | 2 |"
    assert [line.split(" |")[0] for line in lines[5:]] == [f"| transform invariance {a}" for a in (0.5, 0.9, 0.99)]


def test_what_was_not_measured_of_a_row_leaves_its_cell_alone():
    """Every value stands below its heading, whichever row comes first."""
    more = [row | {"pans/TrueDetail": 0.5} if row["strategy"] == "transinv" else row for row in ROWS]
    lines = [line.split(" | ") for line in markdown(written(more), [(n, "") for n in STRATEGIES], "pans").splitlines()]
    column = lines[0].index("K true")
    assert [line[column] for line in lines[3:6]] == ["n/a", "n/a", "0.500 ± 0.000"]
    assert lines[4][lines[0].index("R")] == "0.730 ± 0.014"


def test_rows_in_the_order_that_is_asked_for():
    wanted = [parse_group(text) for text in ("transinv=0.99", "baseline", "transinv=0.50")]
    lines = markdown(written(ROWS), wanted, "pans").splitlines()
    assert [line.split(" |")[0] for line in lines[3:]] == [
        "| transform invariance 0.99",
        "| baseline",
        "| transform invariance 0.5",
    ]
    with pytest.raises(ValueError, match="there is no strategy 'magic'"):
        parse_group("magic=0.5")
    with pytest.raises(ValueError, match="holds none of these"):
        markdown(written(ROWS), [("jacobian", "")], "pans")


def test_differences_are_taken_seed_by_seed():
    rows = [
        *(row("transinv", 0.9, seed, 20 + seed, 1, 0.7) for seed in (0, 1, 2)),
        *(row("jacobian", 0.9, seed, 21 + 2 * seed, 1, 0.6) for seed in (0, 1)),
        row("jacobian", 0.5, 0, 30, 1, 0.5),
        row("finetune", "", 1, 22, 1, 0.9),
    ]
    wanted = [(name, "") for name in STRATEGIES]
    lines = markdown(written(rows), wanted, "pans", against=("transinv", "0.9")).splitlines()
    assert lines[2:] == [
        "| plain fine-tuning | +0.80 | +0.000 | +1.00 | +0.000 | +0.200 | +0.002 | 1 |",
        "| sparse Jacobian 0.5 | -0.80 | +0.000 | +10.00 | +0.000 | -0.200 | -0.002 | 1 |",
        "| sparse Jacobian 0.9 | -0.40 ± 0.00 | +0.000 ± 0.000 | +1.50 ± 0.71 | +0.000 ± 0.000 | -0.100 ± 0.000 | "
        "-0.001 ± 0 | 2 |",
    ]
    own_strength = markdown(written(rows), wanted, "pans", against=("transinv", "")).splitlines()
    assert [line.split(" |")[0] for line in own_strength[2:]] == ["| sparse Jacobian 0.9"]
    one_strength = markdown(written(rows), wanted, "pans", against=("transinv", "0.9"), alphas=[0.5]).splitlines()
    assert [line.split(" |")[0] for line in one_strength[2:]] == ["| plain fine-tuning", "| sparse Jacobian 0.5"]
    to_plain = markdown(written(rows), wanted, "pans", against=("finetune", "")).splitlines()
    assert to_plain[2] == "| transform invariance 0.9 | -0.80 | +0.000 | -1.00 | +0.000 | -0.200 | -0.002 | 1 |"


@pytest.mark.slow
def test_documents_are_filled_with_what_the_files_say(tmp_path):
    for r in ROWS:
        append_result(tmp_path / "hdr.csv", r)
    table = "| | old |\n|---|---|\n| a | 1 |\n"
    marked = f"<!-- table.py {tmp_path}/hdr.csv --strategies finetune --prefix pans -->"
    text = f"Before\n\n{marked}\n\n{table}\nAfter\n\n{table}"
    assert filled(text) == (
        f"Before\n\n{marked}\n\n| | F | K | PSNR [dB] | S | R | E_warp | seeds |\n|---|---|---|---|---|---|---|---|\n"
        "| *the truth itself* | 1.00 | 1.000 |  | 1.000 | 0.000 | 0.002 |  |\n"
        "| plain fine-tuning | 2.92 ± 0.06 | 0.900 ± 0.000 | 21.10 ± 0.14 | 1.000 ± 0.000 | 0.730 ± 0.014 | "
        f"0.0073 ± 0.00014 | 2 |\n\nAfter\n\n{table}"
    )
    assert filled(f"{marked}\n\nAfter\n") == filled(f"{marked}\n\n{table}\nAfter\n")
    (tmp_path / "a.md").write_text(text)
    assert "tables differ" in tool("fill_tables", tmp_path / "a.md", "--check", ok=False)
    tool("fill_tables", tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == filled(text)
    (tmp_path / "b.md").write_text(f"<!-- table.py {tmp_path}/none.csv -->\n")
    assert "holds no results" in tool("fill_tables", tmp_path / "b.md", ok=False)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/results.md",
        "docs/results_by_residual.md",
        "docs/metrics.md",
        "docs/real_models.md",
        "docs/full_length.md",
        "docs/anti_aliasing.md",
        "docs/networks_of_others.md",
        "docs/recipes.md",
        "docs/steady.md",
    ],
)
def test_our_documents_say_what_our_files_say(name):
    text = (ROOT / name).read_text()
    assert "<!-- table.py docs/results/" in text or "<!-- measures -->" in text
    assert filled(text) == text


def test_points_are_what_was_measured():
    points = Points(written(ROWS), STRATEGIES, "pans")
    assert points.mean(("transinv", "0.9"), "PSNR [dB]") == pytest.approx(20.05)
    assert points.spread(("transinv", "0.9"), "PSNR [dB]") == pytest.approx(0.1 / math.sqrt(2))
    assert points.spread(("baseline", ""), "R") == 0
    assert points.seeds() == "2 seeds"
    assert points.complete([("transinv", "0.9"), ("baseline", "")]).all()
    points = Points(written(ROWS[:-1]), STRATEGIES, "pans")
    assert points.seeds() == "2 seeds (hollow: fewer, 1 at least)"
    assert points.complete([("transinv", "0.9"), ("transinv", "0.99")]).tolist() == [True, False]
    assert position(0.99) == pytest.approx(2)


def test_pareto_front():
    costs = np.array([[3, 3], [1, 5], [2, 2], [2, 4], [4, 1], [5, 1]])
    assert pareto(costs).tolist() == [1, 2, 4]
    dominated = [any((other <= p).all() and (other < p).any() for other in costs) for p in costs]
    assert set(pareto(costs)) == {i for i, d in enumerate(dominated) if not d}


def trained(rows, iterations):
    """Rows of a sweep of this length; PSNR rises by 1 dB for each factor of 10."""
    rise = math.log10(iterations)
    return [
        {**r, "iterations": 0 if r["strategy"] == "baseline" else iterations}
        | {"pans/SaturatedPSNR": r["pans/SaturatedPSNR"] + rise * (r["strategy"] != "baseline")}
        for r in rows
    ]


def test_the_curve_over_iterations_is_what_was_measured():
    rows = written(trained(ROWS, 100) + trained(ROWS[1:], 1000))
    figure = length_figure(rows, [("baseline", ""), ("transinv", "0.9")], {"pans": "Pans"})
    (panel,) = [axes for axes in figure.axes if axes.get_ylabel() == "PSNR [dB]"]
    baseline, curve = panel.get_lines()
    assert list(baseline.get_ydata()) == [20, 20]
    assert list(curve.get_xdata()) == [100, 1000]
    assert list(curve.get_ydata()) == pytest.approx([22.05, 23.05])
    with pytest.raises(ValueError, match="column `iterations`"):
        length_figure(written(ROWS), [("transinv", "")], {"pans": "Pans"})


@pytest.mark.slow
def test_pictures_and_tables_from_a_file(tmp_path):
    path = tmp_path / "hdr.csv"
    for r in ROWS:
        append_result(path, r)
    assert "transform invariance 0.99" in tool("table", path)
    for kind in ("strength", "trade-off"):
        tool("plot_sweep", path, tmp_path / f"{kind}.png", "--kind", kind)
        assert cv2.imread(str(tmp_path / f"{kind}.png")).std() > 10
    paths = [tmp_path / "100.csv", tmp_path / "1000.csv"]
    for path, rows in zip(paths, (trained(ROWS, 100), trained(ROWS[1:], 1000))):
        for r in rows:
            append_result(path, r)
    options = ("--kind", "length", "--strategies", "baseline", "transinv=0.9", "--prefix", "pans")
    tool("plot_sweep", *paths, tmp_path / "length.png", *options)
    assert cv2.imread(str(tmp_path / "length.png")).std() > 10
    assert "no set of clips 'x'" in tool("plot_sweep", path, tmp_path / "a.png", "--prefix", "x", ok=False)
    assert "holds no results" in tool("table", tmp_path / "none.csv", ok=False)


# ---------------------------------------------------------------- rivals


@pytest.fixture
def faces(tmp_path):
    """A clip of 8 frames of 48x48, as the colour config's test set."""
    photo = data.astronaut()
    for t in range(8):
        write_image(tmp_path / "clips" / "face" / f"{t}.png", photo[30 + t : 78 + t, 200 + 2 * t : 248 + 2 * t])
    keys = ["clip", "frame", "num_frames", "fps"]
    pipeline = [dict(type="PackInputs", meta_keys=keys)]
    return ClipDataset(str(tmp_path / "clips"), fps=24, shortest=5, pipeline=pipeline)


class _Known:
    """A network that knows the truth, and counts its clips."""

    def __init__(self, dataset):
        self.frames, self.clips = [dataset[i]["inputs"].float() / 255 for i in range(len(dataset))], 0

    def start(self):
        self.clips, self.next = self.clips + 1, iter(self.frames)

    def __call__(self, frame):
        assert float((frame[0] - frame[1]).abs().max()) < 1e-3  # grey goes in
        return next(self.next)


def test_the_truth_beats_all_rivals(faces):
    network, seen = _Known(faces), []
    values = rivals.run_and_measure(
        "color", network, faces, False, lambda about, prediction: seen.append(about["frame"])
    )
    assert network.clips == 1
    assert seen == list(range(8))
    assert values["ClipPSNR"] > 100
    assert values["TemporalResidual"] < 1e-3
    assert values["TemporalSmoothness"] == pytest.approx(1, abs=1e-3)
    row = rivals_table(dict(truth=values)).splitlines()
    assert row[0].startswith("| | F | K | K true | PSNR [dB] | S | R | E_warp |")
    assert row[2].startswith("| truth | ")


def test_blind_consistency_follows_the_network_and_starts_anew_with_each_clip(faces, tmp_path):
    model = MODELS.build(dict(type="BlindConsistencyModel"))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "blind.pth")
    config = Config.fromfile(ROOT / "configs/tempreg/color_finetune.py")
    baseline = str(TASKS["color"].baseline("color"))
    plain = rivals.ImageNetwork(config, baseline)
    both = rivals.WithBlindConsistency(config, baseline, str(tmp_path / "blind.pth"))
    images = [image for _, image, _ in rivals.frames_of("color", faces)][:3]
    processed = [plain(image) for image in images]
    inputs = torch.stack([torch.cat([p, i]) for p, i in zip(processed, images)])[None] * 255
    with torch.no_grad():
        expected = both.filter.model(inputs, mode="tensor")[0]
    for _ in range(2):
        both.start()
        found = torch.stack([both(image) for image in images])
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


class _OnAScaleOfItsOwn:
    """A network that knows the truth up to a factor, which changes with each clip, or with each frame."""

    def __init__(self, dataset, per_frame):
        self.radiance = iter([truth.flip(0) for *_, truth in rivals.frames_of("hdr", dataset)])
        self.per_frame, self.factor = per_frame, 1.0

    def start(self):
        self.factor *= 0.25

    def __call__(self, frame):
        self.factor *= 0.5 if self.per_frame else 1.0
        return self.factor * next(self.radiance)


@pytest.mark.parametrize("fit", ["clip", "frame"])
@pytest.mark.parametrize("per_frame", [False, True])
def test_relative_radiance_is_brought_to_the_truths_scale(fit, per_frame):
    keys = ["clip", "frame", "num_frames", "fps", "motion"]
    pipeline = [dict(type="PackInputs", meta_keys=keys)]
    clips = DATASETS.build(dict(type="ProceduralHDRDataset", num_clips=2, num_frames=3, size=48, pipeline=pipeline))
    found = list(rivals.predictions("hdr", _OnAScaleOfItsOwn(clips, per_frame), clips, fit))
    assert [about["frame"] for about, *_ in found] == [0, 1, 2] * 2
    is_truth = all(torch.allclose(prediction, truth.flip(0), rtol=1e-4) for _, prediction, truth in found)
    assert is_truth == (fit == "frame" or not per_frame)


def test_a_part_is_held_within_a_clip(tmp_path):
    config = Config.fromfile(ROOT / "configs/expandnet/expandnet_finetune.py")
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "expandnet.pth")
    held = rivals.WithPartHeld(config, str(tmp_path / "expandnet.pth"), "generator.glob_net")
    plain = rivals.ImageNetwork(config, str(tmp_path / "expandnet.pth"))
    dark, bright = torch.full((3, 24, 24), 0.1), torch.full((3, 24, 24), 0.9)
    for first, second in ((dark, bright), (bright, dark)):
        held.start()
        assert torch.equal(held(first), plain(first))
        assert not torch.allclose(held(second), plain(second), atol=1e-5)


@pytest.mark.slow
def test_the_table_of_rivals_as_a_command(faces, tmp_path):
    checkpoint = TASKS["color"].baseline("color")
    options = (f"test_dataloader.1.dataset.data_root={tmp_path}/clips", "test_dataloader.1.dataset.list_file=None")
    options += ("test_dataloader.1.dataset.shortest=5", "test_dataloader.1.dataset.size=48")
    out, videos = tmp_path / "out.json", tmp_path / "videos"
    log = tool("rivals", "color", f"one={checkpoint}", "--out", out, "--videos", videos, "--cfg-options", *options)
    assert "| one | " in log
    assert json.loads(out.read_text())["one"]["frames_per_second"] > 0
    assert open_frames(tmp_path / "videos" / "one" / "face.mp4").count() == 8


# ---------------------------------------------------------------- runs


def sweep_command(out, data, *more):
    size = ["train_dataloader.dataset.size=32", "train_dataloader.dataset.pipeline.0.crop_size=(32,32)"]
    train = ["num_images=16", "indices=16", f"data_root={data}"]
    train = [f"train_dataloader.dataset.{option}" for option in train] + size
    train += ["train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False"]
    test = []
    for number in (0, 1, 2):
        test += [f"test_dataloader.{number}.{option}" for option in (
            "dataset.num_clips=2", "dataset.num_frames=6", "dataset.size=32", "num_workers=0")]  # fmt: skip
    test += [f"test_dataloader.0.dataset.data_root={data}"]
    return [
        *(sys.executable, "-m", "experiments.sweep", "hdr", "--out-dir", str(out), "--jobs", "1"),
        *("--strategies", "baseline", "transinv", "--alphas", "0.5", "0.9", "--seeds", "0", *more),
        *("--train-options", *train, "--test-options", *test),
    ]


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path):
    command = sweep_command(tmp_path / "out", tmp_path / "data")
    path = tmp_path / "out" / "hdr.csv"
    with open(tmp_path / "log.txt", "w") as log:
        running = forked.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 600
        while len(read_results(path)) < 2 and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    before = path.read_text()
    assert len(read_results(path)) == 2, (tmp_path / "log.txt").read_text()[-2000:]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "3 cells, 2 finished before" in done.stdout
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert path.read_text().startswith(before)
    assert [(r["strategy"], r["alpha"]) for r in rows] == [("baseline", ""), ("transinv", "0.5"), ("transinv", "0.9")]
    assert rows[0]["iterations"] == "0"
    assert rows[1]["iterations"] == rows[2]["iterations"] > "0"
    for r in rows:
        assert float(r["pans/TemporalResidual"]) > 0
        assert float(r["pans/TemporalFlicker"]) > 0
        assert float(r["validation/ImageEquivariance"]) > 0
        assert r["revision"]
        assert "CPU" in r["hardware"] or "NVIDIA" in r["hardware"]
    folder = tmp_path / "out" / "hdr" / "transinv_a0.9" / "seed0"
    assert {p.suffix for p in folder.iterdir()} == {".py", ".log", ".pth", ".seconds"}
    again = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "3 cells, 3 finished before" in again.stdout


@pytest.mark.slow
def test_a_cell_that_fails_is_named_and_the_others_go_on(tmp_path):
    command = sweep_command(tmp_path / "out", tmp_path / "data", "--strategies", "baseline", "finetune")
    command.insert(command.index("--train-options") + 1, "train_dataloader.batch_size=1000")
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "finetune/seed0: " in done.stderr + done.stdout
    assert "error: 1 cells have failed" in done.stderr
    assert [r["strategy"] for r in read_results(tmp_path / "out" / "hdr.csv")] == ["baseline"]


def test_names_of_networks_that_are_strategies_too_do_not_choose_rows():
    """'steady' is a strategy of sweeps, and the name of a network in these files."""
    text = table_of("docs/results/real_esrgan_anime.json --prefix videos")
    assert len(text.splitlines()) > 8


def test_between_two_cells_lies_a_cell_with_their_hashes(tmp_path):
    options = TASKS["hdr"].schedules["short"]
    sweep = Sweep(tmp_path, tmp_path / "a.csv", KNOWN, options, {}, "", "")
    (cell,) = cells("hdr", KNOWN, ["steady_between"], [0.25], [3])
    ends = sweep._ends(cell)
    assert [(end.strategy, end.alpha, end.seed) for end in ends] == [("taught_aa", None, 3), ("steady_aa", 0.95, 3)]
    assert sweep.hash(cell) == "+".join(sweep.hash(end) for end in ends)
