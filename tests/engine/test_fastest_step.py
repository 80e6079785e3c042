"""Which options make a step faster: what is tried, what is taken, and that trying leaves no trace."""

import copy
from unittest import mock

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmtempreg.engine import FastestStepHook, NormEvalHook, fastest_step
from mmtempreg.engine.fastest_step import choices, faster, fastest_options, in_words, switch, worth_it
from mmtempreg.utils import half_precision
from tests.engine.test_acceleration import run
from tests.models.test_siamese import HDR, SRCNN, hdr_batch, photo_batch, siamese

HALF = dict(type="BFloat16OptimWrapper", optimizer=dict(type="Adam", lr=1e-3))
FULL = dict(HALF, type="OptimWrapper")
EVERYTHING = ["bfloat16", "channels_last", "single_pass"]


@pytest.fixture(autouse=True)
def native():
    """A processor that has bfloat16, whatever this one has."""
    with mock.patch.object(half_precision, "native_bfloat16", return_value=True) as patched:
        yield patched


def open_to(model, optimiser):
    return choices(model.train(), build_optim_wrapper(model, copy.deepcopy(optimiser)))


def test_the_least_time_of_each_counts():
    seconds = {"one": iter([9.0, 4.0, 3.0]), "other": iter([50.0, 2.0, 8.0])}  # the first steps are no measure
    assert faster(lambda: next(seconds["one"]), lambda: next(seconds["other"])) == 1.5


def test_there_is_nothing_to_choose_about_what_would_be_another_training(native):
    assert open_to(siamese(SRCNN), HALF) == EVERYTHING
    assert open_to(siamese(SRCNN), FULL) == ["channels_last", "single_pass"]  # nobody allowed bfloat16
    assert open_to(siamese(SRCNN), dict(HALF, even_if_slow=True)) == ["channels_last", "single_pass"]  # it is said
    assert open_to(siamese(SRCNN, alpha=0), HALF) == ["bfloat16", "channels_last"]  # there is one pass
    assert open_to(nn.Linear(2, 2), HALF) == ["bfloat16"]
    native.return_value = False
    assert open_to(siamese(SRCNN), HALF) == ["channels_last", "single_pass"]
    # statistics of the batch are others in one pass than in two
    model = siamese(HDR)
    assert open_to(model, FULL) == ["channels_last"]
    hook, runner = NormEvalHook(), mock.Mock(model=model)
    hook.before_train(runner), model.train(), hook.before_train_iter(runner, 0)
    assert choices(model, build_optim_wrapper(model, copy.deepcopy(FULL))) == ["channels_last", "single_pass"]


def test_each_is_tried_on_top_of_what_paid_and_leaves_no_trace():
    model, batch = siamese(SRCNN).train(), photo_batch()
    before, tried = copy.deepcopy(model.state_dict()), []

    def told(one, other):
        for trial in (one, other):
            trial()
        layout = other.model.generator.conv1.weight
        tried.append((
            other.wrapper.half, layout.is_contiguous(memory_format=torch.channels_last),
            other.model.regularizer.single_pass,
        ))  # fmt: skip
        return [1.6, 1.04, 1.2][len(tried) - 1]

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with mock.patch.object(fastest_step, "faster", told):
        gains = fastest_options(model, HALF, batch)
    assert tried == [(True, False, False), (True, True, False), (True, False, True)]
    assert worth_it(gains) == ["bfloat16", "single_pass"]
    assert in_words(gains) == (
        "bfloat16 1.60 times as fast (on), channels_last 1.04 times as fast (off), single_pass 1.20 times as fast (on)"
    )
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.regularizer.single_pass
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("stock", "make"), [(SRCNN, photo_batch), (HDR, hdr_batch)], ids=["SRCNN", "HDR"])
def test_options_change_no_more_than_rounding(stock, make):
    """But for bfloat16, which rounds more: the weights after steps with and without."""
    base, batch = siamese(stock), make()
    weights = []
    for options in ((), ("channels_last", "single_pass")):
        model = copy.deepcopy(base).train()
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        wrapper = build_optim_wrapper(model, dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)))
        for name in options:
            switch(name, True, model, wrapper)
        for _ in range(3):
            model.train_step(copy.deepcopy(batch), wrapper)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    start = torch.cat([p.detach().flatten() for p in base.parameters()])
    assert float((weights[0] - weights[1]).norm()) < 1e-4 * float((weights[0] - start).norm())


def test_what_was_found_is_kept_and_what_is_said_wins(images, tmp_path):
    hooks = [dict(type="ExactResumeHook"), dict(type="FastestStepHook")]
    options = {"optim_wrapper.type": "BFloat16OptimWrapper"}
    with mock.patch.object(fastest_step, "faster", side_effect=[0.5, 0.9, 1.3]) as asked:
        first = run(images, tmp_path / "run", steps=2, custom_hooks=hooks, **options)
    assert asked.call_count == 3
    assert first.model.regularizer.single_pass
    assert first.optim_wrapper.half is False
    assert torch.load(tmp_path / "run" / "iter_2.pth")["meta"]["fastest_step"] == ["single_pass"]
    with mock.patch.object(fastest_step, "faster", side_effect=AssertionError):  # it is not asked again
        resumed = run(images, tmp_path / "run", steps=3, custom_hooks=hooks, resume=True, **options)
    assert resumed.iter == 3
    assert resumed.model.regularizer.single_pass
    assert resumed.optim_wrapper.half is False
    # the config's own word on all three
    hooks.append(dict(type="AccelerationHook"))
    with mock.patch.object(fastest_step, "faster", side_effect=AssertionError):
        said = run(images, tmp_path / "said", steps=1, custom_hooks=hooks, **{"model.single_pass": False})
    assert not said.model.regularizer.single_pass


def test_an_option_that_there_is_not():
    with pytest.raises(ValueError, match=r"options must be of \('bfloat16', .*got \['fast'\]"):
        FastestStepHook(options=["fast"])
