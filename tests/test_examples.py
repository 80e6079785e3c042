"""The examples in docstrings run, and what can be named in a config as T or as a loss has one, and every measure."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch
from mmagic.registry import MODELS

import mmtempreg.losses
import mmtempreg.transforms
from mmtempreg.meters import METERS

PACKAGE = Path(mmtempreg.__file__).parent
ROOMS = ("transforms", "losses", "meters")
MODULES = [f"mmtempreg.{room}.{path.stem}" for room in ROOMS for path in (PACKAGE / room).glob("[!_]*.py")]
WITHOUT = {"VGG16Loss"}  # its weights are in a file that is not ours


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_examples_give_what_they_say(name):
    torch.manual_seed(0)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_all_measures_have_an_example():
    without = {name for name, meter in METERS.items() if ">>>" not in (meter.__doc__ or "")}
    assert without == {"vdp"}  # cvvdp is optional


def test_all_that_configs_name_has_an_example():
    kinds = [kind for kind in MODELS.module_dict.values() if kind.__module__ in MODULES]
    assert len(kinds) > 15
    assert {kind.__name__ for kind in kinds if ">>>" not in (kind.__doc__ or "")} == WITHOUT
