"""A training that diverges stops before it spoils its weights, and says why."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmagic.registry import HOOKS
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from testing.processes import in_processes


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, text):
        self.lines.append(text)


def runner(wrapper_of=lambda model: OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5))):
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    return SimpleNamespace(model=model, optim_wrapper=wrapper_of(model), iter=0, logger=Log())


def step(hook, run, factor=1.0, batch=None):
    """A training step as MMEngine's models make it."""
    hook.before_train_iter(run, run.iter, batch)
    loss = factor * run.model(torch.ones(1, 2)).square().mean()
    wrapper = run.optim_wrapper
    (wrapper["generator"] if isinstance(wrapper, OptimWrapperDict) else wrapper).update_params(loss)
    outputs = dict(loss=loss, loss_reg=torch.tensor(0.25))
    hook.after_train_iter(run, run.iter, batch, outputs)
    run.iter += 1


def weights(run):
    return torch.cat([value.flatten() for value in run.model.state_dict().values()])


@pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf])
def test_it_stops_and_the_weights_stay(factor):
    run = runner()
    hook = HOOKS.build(dict(type="FiniteLossHook"))
    hook.before_train(run)
    step(hook, run)
    before = weights(run).clone()
    with pytest.raises(
        FloatingPointError, match=r"at iteration 2 \(loss .*, loss_reg 0.25\): the learning rate \(0.5\)"
    ):
        step(hook, run, factor)
    assert torch.equal(weights(run), before)


def test_without_it_the_weights_are_spoilt():
    run = runner()
    run.optim_wrapper.update_params(math.nan * run.model(torch.ones(1, 2)).mean())
    assert weights(run).isnan().any()


def test_steps_may_be_left_out():
    run, other = runner(), runner()
    hook = HOOKS.build(dict(type="FiniteLossHook", max_skips=2))
    hook.before_train(run)
    for factor in (1, math.nan, 1, math.inf, 1):
        step(hook, run, factor)
    assert [line.split(":")[0] for line in run.logger.lines] == [
        f"Step left out ({n} of 2 that may be)" for n in (1, 2)
    ]
    with pytest.raises(FloatingPointError):
        step(hook, run, math.nan)
    for _ in range(3):
        other.optim_wrapper.update_params(other.model(torch.ones(1, 2)).square().mean())
    assert torch.equal(weights(run), weights(other))


@pytest.mark.parametrize(
    ("spoil", "batch", "says"),
    [
        (lambda run: run.model.weight.data.fill_(math.nan), None, "weights are NaN or infinite, such as weight"),
        (lambda run: None, dict(inputs=[torch.tensor([1.0, math.nan])]), "the batch holds NaN or infinity"),
    ],
)
def test_the_likely_reason(spoil, batch, says):
    run = runner()
    spoil(run)
    hook = HOOKS.build(dict(type="FiniteLossHook"))
    hook.before_train(run)
    with pytest.raises(FloatingPointError, match=says):
        step(hook, run, math.nan, batch)


def test_several_optimisers_and_a_loss_that_is_not_optimised():
    run = runner(
        lambda model: OptimWrapperDict(
            generator=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5)),
            other=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)),
        )
    )
    hook = HOOKS.build(dict(type="FiniteLossHook"))
    hook.before_train(run)
    step(hook, run)
    with pytest.raises(FloatingPointError):
        step(hook, run, math.nan)
    hook.before_train_iter(run, run.iter)
    with pytest.raises(FloatingPointError):  # a training step of its own, which knows no `update_params`
        hook.after_train_iter(run, run.iter, None, dict(loss=torch.tensor(math.nan)))
    hook.after_train(run)
    assert "update_params" not in vars(run.optim_wrapper["generator"])


def _on_a_rank(rank):
    run = runner()
    hook = HOOKS.build(dict(type="FiniteLossHook", max_skips=1))
    hook.before_train(run)
    before = weights(run).clone()
    step(hook, run, math.nan if rank == 1 else 1.0)
    return torch.equal(weights(run), before)


@pytest.mark.slow
def test_all_processes_leave_the_step_out(tmp_path):
    assert in_processes(_on_a_rank, 2, tmp_path) == [True, True]
