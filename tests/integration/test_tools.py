"""The command-line tools, as a user runs them, in the smallest form."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmagic.registry import MODELS
from mmengine.runner import CheckpointLoader

from testing import forked

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
SMALL_NET = [
    "model.model.generator.encoder_channels=((8,),(8,))",
    "model.model.generator.bottleneck_channels=(8,)",
]


def run(*command, ok=True, run=forked.run):
    environment = dict(os.environ, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")
    result = run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode == 0) == ok, result.stderr[-3000:]
    return result.stdout + result.stderr


def data(root):
    options = [
        f"train_dataloader.dataset.data_root={root}",
        "train_dataloader.dataset.num_images=8",
        "train_dataloader.dataset.size=32",
        "train_dataloader.dataset.pipeline.0.crop_size=(32,32)",
        "train_dataloader.batch_size=4",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
    ]
    for part in ("val", "test"):
        options += [
            f"{part}_dataloader.dataset.{k}" for k in (f"data_root={root}", "num_clips=2", "num_frames=6", "size=32")
        ]
        options += [f"{part}_dataloader.num_workers=0"]
    return options


def train(work_dir, root, epochs, *flags):
    return run(
        *("tools/train.py", "configs/tempreg/hdr_transinv_a0.8.py", "--work-dir", work_dir, *flags, "--cfg-options"),
        *data(root),
        *SMALL_NET,
        "load_from=None",
        f"train_cfg.max_epochs={epochs}",
        "train_cfg.val_interval=1",
        "default_hooks.logger.interval=1",
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("tools")
    return root, train(root / "run", root, 1)


def test_training_logs_and_evaluates(trained):
    _, log = trained
    for word in ("loss_rec", "loss_reg", "loss:", "SaturatedPSNR", "TemporalSmoothness", "TemporalResidual"):
        assert word in log


def test_a_checkpoint_is_a_stock_state_dict(trained):
    root, _ = trained
    # with weights_only=True where torch has that as its default
    weights = CheckpointLoader.load_checkpoint(str(root / "run" / "epoch_1.pth"), map_location="cpu")["state_dict"]
    generator = dict(type="HDRCNN", encoder_channels=((8,), (8,)), bottleneck_channels=(8,))
    MODELS.build(dict(type="HDRReconstructionModel", generator=generator)).load_state_dict(weights, strict=True)


def test_resume_continues_under_weights_only(trained):
    root, _ = trained
    log = train(root / "run", root, 2, "--resume")
    assert "resumed from epoch: 1" in log or "resumed epoch: 1" in log
    assert (root / "run" / "epoch_2.pth").exists()


def test_test_writes_what_the_table_reads(trained):
    root, _ = trained
    checkpoint = max((root / "run").glob("epoch_*.pth"))
    small = [option.replace("model.model", "model") for option in SMALL_NET]
    out = root / "metrics.json"
    run("tools/test.py", "configs/tempreg/hdr_finetune.py", checkpoint, "--out", out, "--work-dir", root / "t",
        "--cfg-options", *data(root), *small)  # fmt: skip
    metrics = json.loads(out.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert metrics["TemporalFlicker_1s"] is None
    table = run("tools/analysis_tools/metrics_table.py", f"one={out}", f"two={out},{out}")
    values = f"{metrics['SpatialDetail']:.3f} | {metrics['SaturatedPSNR']:.2f} | {metrics['TemporalSmoothness']:.3f}"
    assert f"| one | {metrics['TemporalFlicker']:.2f} | n/a | {values} |" in table  # no clip is a second long
    assert "± 0.00" in table


def test_the_checkpoint_of_another_net_is_refused(trained):
    root, _ = trained
    checkpoint = max((root / "run").glob("epoch_*.pth"))
    log = run("tools/test.py", "configs/tempreg/hdr_finetune.py", checkpoint, "--work-dir", root / "t",
              "--cfg-options", *data(root), ok=False)  # fmt: skip
    assert "is of another network than HDRReconstructionModel" in log
    assert str(checkpoint) in log


def test_workers_that_are_spawned_find_our_repairs(trained):
    root, _ = trained
    run(
        *("tools/train.py", "configs/tempreg/hdr_transinv_a0.8.py", "--work-dir", root / "spawned", "--cfg-options"),
        *(*data(root), *SMALL_NET, "load_from=None", "train_cfg.max_epochs=1", "train_dataloader.num_workers=1"),
        *("env_cfg.mp_cfg.mp_start_method=spawn", "val_cfg=None", "val_dataloader=None", "val_evaluator=None"),
        run=subprocess.run,
    )
    assert (root / "spawned" / "epoch_1.pth").exists()


def test_compare_checkpoints_makes_picture_and_video(trained):
    root, _ = trained
    checkpoint = max((root / "run").glob("epoch_*.pth"))
    small = [option.replace("model.model", "model") for option in SMALL_NET]
    run("tools/analysis_tools/compare_checkpoints.py", "configs/tempreg/hdr_finetune.py", f"a={checkpoint}",
        f"b={checkpoint}", "--out-dir", root / "compare", "--cfg-options", *data(root), *small)  # fmt: skip
    assert {p.name for p in (root / "compare").iterdir()} == {"temporal.png", "side_by_side.mp4"}


def test_two_nodes_train_and_two_processes_test_without_a_gpu(trained, tmp_path):
    root, _ = trained
    small = [option.replace("model.model", "model") for option in SMALL_NET]
    environment = dict(os.environ, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1", PORT=str(free_port()))
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"

    def launch(script, *arguments, **variables):
        return subprocess.Popen(
            [str(ROOT / "tools" / script), *map(str, arguments)], cwd=tmp_path, env={**environment, **variables},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finish(process):
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors[-3000:]

    nodes = [
        launch("dist_train.sh", ROOT / "configs/tempreg/hdr_transinv_a0.8.py", 1, "--work-dir", tmp_path / "run",
               "--cfg-options", *data(root), *SMALL_NET, "load_from=None", "train_cfg.max_epochs=1",
               "train_cfg.val_interval=1", NNODES="2", NODE_RANK=str(node), MASTER_ADDR="127.0.0.1")
        for node in (0, 1)
    ]  # fmt: skip
    for node in nodes:
        finish(node)
    checkpoint = tmp_path / "run" / "epoch_1.pth"
    config = ROOT / "configs/tempreg/hdr_finetune.py"
    finish(launch("dist_test.sh", config, checkpoint, 2, "--out", tmp_path / "two.json", "--work-dir", tmp_path / "t",
           "--cfg-options", *data(root), *small))  # fmt: skip
    run("tools/test.py", config, checkpoint, "--out", tmp_path / "one.json", "--work-dir", tmp_path / "t",
        "--cfg-options", *data(root), *small)  # fmt: skip
    assert (tmp_path / "two.json").read_text() == (tmp_path / "one.json").read_text()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
