"""Checkpoints of other networks are refused before they are loaded."""

from types import SimpleNamespace

import pytest
import torch
from mmagic.registry import HOOKS
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = nn.Linear(2, 3), nn.Linear(3, 1)


def load(checkpoint, **options):
    runner = SimpleNamespace(model=Model(), _load_from="some.pth", _train_loop=None)
    HOOKS.build(dict(type="StrictLoadHook", **options)).after_load_checkpoint(runner, checkpoint)


WHOLE = Model().state_dict()
GENERATOR = {name: value for name, value in WHOLE.items() if name.startswith("generator")}


def test_what_fits_is_loaded():
    load(dict(state_dict=WHOLE))
    load(dict(state_dict={f"module.{name}": value for name, value in WHOLE.items()}))
    load(GENERATOR, parts=["generator"])


@pytest.mark.parametrize(
    ("checkpoint", "options", "match"),
    [
        (GENERATOR, {}, r"some\.pth is of another network than Model: 2 of 4 weights are missing"),
        (
            dict(GENERATOR, **{"generator.bias": torch.zeros(4)}),
            dict(parts=["generator"]),
            r"bias \(4,\), expected \(3,\)",
        ),
        (GENERATOR, dict(parts=["discriminator"]), r"discriminator\.weight"),
        ({}, {}, "some.pth holds no weights"),
        (dict(state_dict=[1]), {}, "some.pth holds a list as its state_dict"),
        (dict(WHOLE, **{"generator.bias": torch.full((3,), torch.nan)}), {}, "NaN or infinite, such as generator.bias"),
        (WHOLE, dict(parts=["encoder"]), r"Model has none of the parts \['encoder'\]"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, options, match):
    with pytest.raises(ValueError, match=match):
        load(checkpoint, **options)
