"""Checkpoints in the forms that other programs write."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmtempreg.openmmlab.checkpoints import load_weights, read_checkpoint, read_weights
from tests.engine.test_strict_load import load as load_with_hook


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3))


def named(prefix, state):
    return {prefix + name: value for name, value in state.items()}


WHOLE = Model().state_dict()
NETWORK = {name.removeprefix("generator."): value for name, value in WHOLE.items()}
OLDER = {name: torch.zeros_like(value) for name, value in NETWORK.items()}


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        (dict(params=OLDER, params_ema=NETWORK), ["its 'params_ema', not ['params']", "'generator.' put before"]),
        (dict(params=NETWORK), ["the weights are its 'params'"]),
        (dict(model=WHOLE, epoch=3), ["the weights are its 'model'"]),
        (NETWORK, ["fit with 'generator.' put before them"]),
        (named("module.", NETWORK), ["fit with 'generator.' put before them"]),
        (named("module.", WHOLE), []),
        (dict(state_dict=named("net_g.", NETWORK)), ["fit with 'net_g.' taken off and 'generator.' put before them"]),
        (dict(state_dict=named("model.", WHOLE), meta={}), ["fit with 'model.' taken off"]),
    ],
)
def test_forms_of_checkpoints(tmp_path, checkpoint, said, monkeypatch):
    torch.save(checkpoint, tmp_path / "a.pth")
    model = Model()
    lines = []
    monkeypatch.setattr(f"{load_weights.__module__}.print_log", lambda line, *_: lines.append(line))
    load_weights(model, tmp_path / "a.pth", "Model")
    assert all(torch.equal(value, WHOLE[name]) for name, value in model.state_dict().items())
    assert all(part in " ".join(lines) for part in said)
    assert bool(lines) == bool(said)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_safetensors(tmp_path, name):
    save_file(WHOLE, tmp_path / name)
    assert all(torch.equal(value, WHOLE[name]) for name, value in read_weights(tmp_path / name).items())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:200])
    with pytest.raises(ValueError, match=f"{name} cannot be read as a checkpoint: it is cut off"):
        read_checkpoint(tmp_path / name)


def test_a_near_miss_names_what_would_fit(tmp_path):
    torch.save(dict(list(NETWORK.items())[:-1]), tmp_path / "a.pth")
    with pytest.raises(ValueError, match="with 'generator.' put before them, 8 of 9 would fit"):
        load_weights(Model(), tmp_path / "a.pth", "Model")


def test_a_run_starts_from_them_too():
    state = {"generator.weight": torch.ones(3, 2), "generator.bias": torch.ones(3)}
    checkpoint = {name.removeprefix("generator."): value for name, value in state.items()}
    load_with_hook(checkpoint, parts=["generator"])
    assert set(checkpoint["state_dict"]) == set(state)
