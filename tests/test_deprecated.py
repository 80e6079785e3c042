"""Old names work, and say what they are called now."""

import importlib
import subprocess
import sys

import pytest
import torch

import mmtempreg.apis
import mmtempreg.transforms
from mmtempreg.deprecated import MODULES
from mmtempreg.functional import affine_matrix, warp


@pytest.mark.parametrize("old", MODULES)
def test_modules(old):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MODULES[old]}"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(MODULES[old])


OLD = [
    "ConsistencyFilter",
    "Quality",
    "Trial",
    "Tuned",
    "Tuner",
    "config_hash",
    "measure_pseudo_clips",
    "stock_model",
    "tune",
]


@pytest.mark.parametrize("old", OLD)
def test_names_of_apis(old):
    with pytest.warns(DeprecationWarning, match=f"mmtempreg.apis.{old} is now mmtempreg"):
        assert callable(getattr(mmtempreg.apis, old))


def test_names_that_never_were():
    for module in (mmtempreg.apis, mmtempreg.transforms):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mmtempreg.nothing")


def test_the_base_of_transforms():
    with pytest.warns(DeprecationWarning, match="RandomTransform"):
        assert mmtempreg.transforms.TransformPair is mmtempreg.transforms.RandomTransform


def test_arguments():
    x, zero = torch.rand(1, 1, 4, 4), torch.zeros(1)
    with pytest.warns(DeprecationWarning, match="'size' of affine_matrix is now 'base'"):
        matrix = affine_matrix(torch.ones(1, 2), zero, zero + 1, torch.zeros(1, 2), size=(2, 2))
    with pytest.warns(DeprecationWarning, match="'size' of warp is now 'base'"):
        old = warp(x, matrix, size=(2, 2))
    assert torch.equal(old, warp(x, matrix, base=(2, 2)))


@pytest.mark.slow
def test_the_old_way_in_of_tools():
    """A copy of tools/train.py in somebody's project imports this."""
    code = "from mmtempreg.apis.scripts import run_mmagic_tool; print(run_mmagic_tool.__module__)"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "mmtempreg.mmagic_tools", result.stderr


@pytest.mark.parametrize("old", ["reader.check_steady", "reader.MATRICES", "reader.Frame", "writer.write_frames"])
def test_names_of_video(old):
    module, name = old.split(".")
    with pytest.warns(DeprecationWarning, match=f"mmtempreg.video.{old} is now mmtempreg.video"):
        getattr(importlib.import_module(f"mmtempreg.video.{module}"), name)
