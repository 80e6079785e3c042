"""OpenMMLab's `mim`, from another folder, with the package installed from a wheel as its users have it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# mim makes this folder when it is imported, and fails if another process of the tests does so at the same moment
(Path.home() / ".cache" / "mim").mkdir(parents=True, exist_ok=True)
pytest.importorskip("mim", reason="openmim is not installed (requirements/optional.txt)")

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mim(tmp_path_factory):
    """Runs a command of mim in an empty folder; gives that folder and what was printed."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("mmtempreg", "configs", "tools", "checkpoints", "requirements", "resources/hdr"):
        ignored = shutil.ignore_patterns("__pycache__", ".mim")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("setup.py", "README.md", "model-index.yml"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    without_network = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "install", *without_network, "--target", site, source], check=True, capture_output=True)

    def run(*command, status=0):
        folder = tmp_path_factory.mktemp("elsewhere")
        environment = dict(os.environ, PYTHONPATH=str(site), PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")
        done = subprocess.run(
            [sys.executable, "-c", "from mim.cli import cli; cli()", *command],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == status, (done.stdout + done.stderr)[-3000:]
        return folder, done.stdout if status == 0 else done.stdout + done.stderr

    return run


def test_it_lists_the_package(mim):
    _, printed = mim("list")
    assert any(line.split()[:1] == ["mmtempreg"] for line in printed.splitlines())


def test_it_finds_configs_and_results(mim):
    _, printed = mim("search", "mmtempreg", "--model", "TempReg")
    assert "config id: hdr_transinv_a0.8" in printed
    assert "temporalflicker" in printed


def test_it_makes_networks_steady(mim):
    """`mim run` finds the tool, and gives it its options."""
    _, printed = mim("run", "mmtempreg", "steady", "a.py:Net", "a.pth", "photos", "--out", "b.pth", status=1)
    assert "a.pth" in printed


def test_it_trains_from_the_checkpoint_in_the_package_and_tests(mim):
    folder, _ = mim(
        "train", "mmtempreg", "hdr_transinv_a0.8.py", "--work-dir", "w", "--cfg-options",
        "train_dataloader.dataset.num_images=4", "train_dataloader.dataset.size=64",
        "train_dataloader.dataset.pipeline.0.crop_size=(32,32)", "train_dataloader.batch_size=2",
        "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False",
        "train_cfg.max_epochs=1", "train_cfg.val_interval=9",
    )  # fmt: skip
    checkpoint = folder / "w" / "epoch_1.pth"
    few = [f"test_dataloader.{i}.dataset.{o}" for i in range(3) for o in ("num_clips=1", "num_frames=3")]
    folder, _ = mim(
        "test", "mmtempreg", "hdr_evaluation.py", "--checkpoint", str(checkpoint), "--out", "metrics.json",
        "--cfg-options", *few,
    )  # fmt: skip
    assert (folder / "metrics.json").exists()
