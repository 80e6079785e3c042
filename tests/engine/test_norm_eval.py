"""Batch normalisation in fine-tuning: what is trained is what is used."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch.nn.modules.batchnorm import _BatchNorm

from mmtempreg.engine import NormEvalHook
from tests.engine.test_acceleration import run
from tests.models.test_siamese import HDR, hdr_batch, siamese


def averages(network):
    return [t.clone() for name, t in network.state_dict().items() if "running_" in name or "num_batches" in name]


def hooked(model):
    """A model in training mode, as a step of the runner finds it."""
    hook, runner = NormEvalHook(), SimpleNamespace(model=model)
    hook.before_train(runner)
    model.train()
    hook.before_train_iter(runner, 0)
    return model


def used_before(model):
    """Averages that are of something: those of a fresh network are zeros and ones."""
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 2.0)
    return model


def step(model, batch=None):
    return model.train_step(batch or hdr_batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-2)))


def test_the_network_in_training_is_the_one_in_use():
    torch.manual_seed(0)
    model = used_before(siamese(HDR, alpha=0.5))
    x = torch.rand(2, 3, 32, 32)
    used = model.eval().generator(x)
    assert torch.equal(hooked(model).generator(x), used)
    assert not torch.equal(model.train().generator(x), used)


def test_averages_stay_and_scale_and_shift_are_trained():
    model = used_before(siamese(HDR, alpha=0.5))
    before, weights = averages(model), copy.deepcopy(dict(model.named_parameters()))
    step(hooked(model))
    assert all(torch.equal(a, b) for a, b in zip(before, averages(model)))
    layer = next(name for name, part in model.named_modules() if isinstance(part, _BatchNorm))
    for name in ("weight", "bias"):
        assert not torch.equal(weights[f"{layer}.{name}"], model.get_parameter(f"{layer}.{name}"))


def test_one_pass_is_then_the_same_as_two():
    torch.manual_seed(0)
    one = used_before(siamese(HDR, alpha=0.5, single_pass=True))
    two = siamese(HDR, alpha=0.5)
    two.load_state_dict(one.state_dict())
    batch = hdr_batch()
    losses = [step(hooked(model), copy.deepcopy(batch))["loss_reg"] for model in (one, two)]
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-7)


def test_only_the_networks_and_after_validation_too(images, tmp_path):
    """Validation puts the model back into training mode; the discriminator, trained from scratch, goes on averaging."""
    plain = run(images, tmp_path / "plain", "pix2pix", 1)
    hooks = [*plain.cfg.custom_hooks, dict(type="NormEvalHook")]
    short = run(images, tmp_path / "short", "pix2pix", 1, custom_hooks=hooks)
    runner = run(images, tmp_path / "run", "pix2pix", 4, custom_hooks=hooks, **{"train_cfg.val_interval": 2})
    first, last = short.model, runner.model
    assert all(torch.equal(a, b) for a, b in zip(averages(first.generators), averages(last.generators)))
    assert not all(torch.equal(a, b) for a, b in zip(averages(plain.model.generators), averages(last.generators)))
    assert not all(torch.equal(a, b) for a, b in zip(averages(first.discriminators), averages(last.discriminators)))


def test_a_model_without_such_a_network_is_refused():
    with pytest.raises(ValueError, match="has no network"):
        NormEvalHook(networks=["backbone"]).before_train(SimpleNamespace(model=siamese(HDR)))


@pytest.mark.parametrize("task", ["hdr", "color"])
def test_the_configs_that_fine_tune_have_it_and_those_that_train_from_scratch_have_not(task):
    def hooks(name):
        return [hook["type"] for hook in Config.fromfile(f"configs/tempreg/{task}_{name}.py").custom_hooks]

    assert "NormEvalHook" in hooks("finetune")
    assert "NormEvalHook" in hooks("transinv_a0.8")
    assert "NormEvalHook" not in hooks("baseline")
