"""Checkpoints of several training codes: found, and written back in the same form."""

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmtempreg.apis.steady.checkpoint_form import read_form

WEIGHTS = OrderedDict(weight=torch.arange(6.0).view(2, 3), bias=torch.ones(2))


def prefixed(prefix):
    return OrderedDict((prefix + name, value.clone()) for name, value in WEIGHTS.items())


FORMS = {
    "bare": prefixed(""),
    "DataParallel": prefixed("module."),
    "BasicSR": dict(params=prefixed(""), params_ema=prefixed("")),
    "MMEngine": dict(meta=dict(iter=3), state_dict={**prefixed("generator."), "step_counter": torch.zeros(1)}),
    "Lightning": dict(state_dict=prefixed("net."), epoch=3),
    "plain": dict(epoch=1, model_state_dict=prefixed("")),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_has_the_form_that_was_read(name, tmp_path):
    torch.save(FORMS[name], tmp_path / "a.pth")
    form = read_form(tmp_path / "a.pth", WEIGHTS)
    torch.testing.assert_close(form.weights(), dict(WEIGHTS))
    form.write({key: value + 1 for key, value in WEIGHTS.items()}, tmp_path / "b.pth")
    before, after = (torch.load(tmp_path / f"{letter}.pth") for letter in "ab")
    assert before.keys() == after.keys()
    again = read_form(tmp_path / "b.pth", WEIGHTS)
    assert (again.container, again.prefix) == (form.container, form.prefix)
    torch.testing.assert_close(again.weights(), {key: value + 1 for key, value in WEIGHTS.items()})
    if name == "MMEngine":
        assert after["meta"] == dict(iter=3)
        assert after["state_dict"].keys() == before["state_dict"].keys()


def test_the_averaged_weights_of_basicsr_are_taken(tmp_path):
    """As its own inference does."""
    torch.save(dict(params=prefixed(""), params_ema={k: v * 2 for k, v in WEIGHTS.items()}), tmp_path / "a.pth")
    assert read_form(tmp_path / "a.pth", WEIGHTS).weights()["bias"].tolist() == [2.0, 2.0]


def test_an_average_and_what_it_is_of_are_both_replaced(tmp_path):
    """Nobody knows which of them will be used."""
    state = prefixed("generator.") | {k: v * 2 for k, v in prefixed("generator_ema.").items()}
    torch.save(dict(state_dict=state), tmp_path / "a.pth")
    form = read_form(tmp_path / "a.pth", WEIGHTS)
    assert form.prefix == "generator_ema."
    assert "also replaced: state_dict generator." in form.note()
    form.write({key: value + 5 for key, value in WEIGHTS.items()}, tmp_path / "b.pth")
    written = torch.load(tmp_path / "b.pth")["state_dict"]
    assert written["generator.bias"].tolist() == written["generator_ema.bias"].tolist() == [6.0, 6.0]


def test_the_state_of_an_optimiser_goes(tmp_path):
    torch.save(dict(state_dict=prefixed(""), optimizer=dict(lr=1.0), epoch=2), tmp_path / "a.pth")
    read_form(tmp_path / "a.pth", WEIGHTS).write(WEIGHTS, tmp_path / "b.pth")
    assert torch.load(tmp_path / "b.pth").keys() == {"state_dict", "epoch"}


def test_half_precision_stays(tmp_path):
    torch.save({name: value.half() for name, value in WEIGHTS.items()}, tmp_path / "a.pth")
    read_form(tmp_path / "a.pth", WEIGHTS).write(WEIGHTS, tmp_path / "b.pth")
    assert torch.load(tmp_path / "b.pth")["weight"].dtype == torch.float16


def test_safetensors(tmp_path):
    save_file(dict(prefixed("generator.")), tmp_path / "a.safetensors")
    form = read_form(tmp_path / "a.safetensors", WEIGHTS)
    form.write({key: value + 1 for key, value in WEIGHTS.items()}, tmp_path / "b.safetensors")
    torch.testing.assert_close(load_file(tmp_path / "b.safetensors")["generator.bias"], WEIGHTS["bias"] + 1)


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        (
            dict(params=dict(weight=WEIGHTS["weight"], other=torch.ones(2))),
            "1 of 2 weights fit, and bias is",
        ),
        (dict(weight=torch.ones(4, 3), bias=torch.ones(2)), r"weight has shape \(4, 3\)"),
        (dict(note="nothing"), "it holds no weights"),
        (prefixed("") | dict(bias=torch.tensor([1.0, float("nan")])), "NaN"),
    ],
)
def test_what_does_not_fit_is_told(holds, says, tmp_path):
    torch.save(holds, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=says):
        read_form(tmp_path / "a.pth", WEIGHTS)
