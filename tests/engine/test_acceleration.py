"""Mixed precision, accumulated and clipped gradients, channels_last, torch.compile, activation checkpointing."""

import copy
from functools import partial
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmtempreg.engine import AccelerationHook, BFloat16OptimWrapper
from mmtempreg.losses import RegularizationLoss
from testing.stock_models import FAMILIES, family_config, untrained_vgg
from tests.models.test_siamese import HDR, SRCNN, hdr_batch, photo_batch, siamese


def family(name):
    (found,) = (f for f in FAMILIES if f.name == name)
    return found


def run(images, work_dir, name="edsr", steps=4, **options):
    config = family_config(family(name), images, work_dir, steps, small=True)
    config.merge_from_dict(options)
    config.experiment_name = str(work_dir)
    with untrained_vgg():
        runner = Runner.from_cfg(config)
        runner.train()
    return runner


def states(runner):
    return list(runner.model.state_dict().values())


@pytest.mark.parametrize("name", ["edsr", "pix2pix"])
@pytest.mark.slow
def test_bfloat16_trains_every_family_of_steps(images, tmp_path, name):
    types = {"optim_wrapper.type": "BFloat16OptimWrapper", "optim_wrapper.even_if_slow": True}
    if name == "pix2pix":
        wrapper = dict(type="BFloat16OptimWrapper", even_if_slow=True)
        parts = ("generators", "discriminators")
        types = {f"optim_wrapper.{part}.{key}": value for part in parts for key, value in wrapper.items()}
    runner = run(images, tmp_path / "run", name, **types)
    for loss in ("loss_rec", "loss_reg"):
        values = torch.tensor(runner.message_hub.get_scalar(f"train/{loss}").data[0])
        assert len(values) == 4
        assert torch.isfinite(values).all()


@pytest.mark.parametrize(("config", "batch"), [(SRCNN, photo_batch), (HDR, hdr_batch)], ids=["SRCNN", "HDR"])
@pytest.mark.parametrize("loss", ["TransformInvarianceLoss", "SparseJacobianLoss"])
def test_warp_and_loss_stay_in_float32(config, batch, loss):
    """T(x) is that of float32 to the bit; all that the loss sees is float32."""
    model = siamese(config, regularization=dict(type=loss))
    data, seen, passes = batch(), [], []
    forward = RegularizationLoss.forward
    for wrapper in (OptimWrapper, partial(BFloat16OptimWrapper, even_if_slow=True)):
        inputs = []
        hook = model.generator.register_forward_pre_hook(lambda _, x, inputs=inputs: inputs.append(x[0]))
        with mock.patch.object(RegularizationLoss, "forward", lambda self, o: (seen.append(o), forward(self, o))[1]):
            log = copy.deepcopy(model).train_step(
                copy.deepcopy(data), wrapper(torch.optim.SGD(model.parameters(), lr=0.0))
            )
        hook.remove()
        passes.append((inputs, log["loss_reg"]))
    (exact, reg), (half, half_reg) = passes
    assert torch.equal(exact[1], half[1])
    for outputs in seen:
        assert {outputs.f_x.dtype, outputs.f_tx.dtype, outputs.target.dtype} == {torch.float32}
    assert half_reg.dtype == torch.float32
    torch.testing.assert_close(half_reg, reg, rtol=0.1, atol=1e-4)
    assert not torch.equal(half_reg, reg)  # the network did run in bfloat16


def test_amp_in_float16_needs_a_gpu_and_says_so(images, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(AssertionError, match="only available training on gpu"):
        run(images, tmp_path / "run", **{"optim_wrapper.type": "AmpOptimWrapper"})


def test_accumulated_gradients_are_the_mean_of_the_steps():
    model = siamese(SRCNN, alpha=0.5)
    hub, batches = MessageHub.get_current_instance(), [photo_batch(), photo_batch()]
    each = []
    for step, data in enumerate(batches):
        alone = copy.deepcopy(model)
        hub.update_info("iter", step)
        alone.train_step(copy.deepcopy(data), OptimWrapper(torch.optim.SGD(alone.parameters(), lr=1.0)))
        each.append([p - q for p, q in zip(model.parameters(), alone.parameters())])
    together = copy.deepcopy(model)
    optimiser = OptimWrapper(torch.optim.SGD(together.parameters(), lr=1.0), accumulative_counts=2)
    optimiser.initialize_count_status(together, 0, 2)
    for step, data in enumerate(batches):
        hub.update_info("iter", step)
        together.train_step(copy.deepcopy(data), optimiser)
    hub.update_info("iter", 0)
    for p, q, a, b in zip(model.parameters(), together.parameters(), *each):
        torch.testing.assert_close(p - q, (a + b) / 2, rtol=1e-4, atol=1e-6)


def test_clipping_sees_the_whole_gradient():
    model = siamese(SRCNN, alpha=0.5)
    before = [p.clone() for p in model.parameters()]
    optimiser = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0), clip_grad=dict(max_norm=1e-3))
    model.train_step(photo_batch(), optimiser)
    moved = torch.cat([(p - q).flatten() for p, q in zip(model.parameters(), before)])
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(
    "options",
    [dict(channels_last=True), dict(compile=dict(backend="aot_eager")), dict(channels_last=True, compile=True)],
    ids=["channels_last", "compiled", "both, inductor"],
)
@pytest.mark.parametrize("name", ["edsr", "pix2pix"])
@pytest.mark.slow
def test_accelerated_networks_train_alike_and_go_back_to_stock(images, tmp_path, name, options):
    if "compile" in options and not hasattr(torch.nn.Module, "compile"):
        pytest.skip("torch < 2.2")
    if name == "pix2pix" and options.get("compile") is True:
        pytest.skip("one network is enough for the slow compiler")
    config = {"model.model.generator.use_dropout": False} if name == "pix2pix" else {}
    sgd = dict(type="SGD", lr=1e-3)  # Adam blows rounding up
    key = "optim_wrapper.generators.optimizer" if name == "pix2pix" else "optim_wrapper.optimizer"
    plain = run(images, tmp_path / "plain", name, 2, **config, **{key: dict(_delete_=True, **sgd)})
    hooks = [*plain.cfg.custom_hooks, dict(type="AccelerationHook", **options)]
    fast = run(images, tmp_path / "fast", name, 2, custom_hooks=hooks, **config, **{key: dict(_delete_=True, **sgd)})
    assert list(plain.model.state_dict()) == list(fast.model.state_dict())
    for a, b in zip(states(plain), states(fast)):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    if options.get("channels_last"):
        weights = [p for p in fast.model.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1 and p.shape[-1] > 1]
        assert any(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


@pytest.mark.slow
def test_a_compiled_training_step_trains_alike(images, tmp_path):
    """MMEngine's own `compile`."""
    plain, compiled = (
        run(images, tmp_path / name, "edsr", 3, **options)
        for name, options in (("plain", {}), ("compiled", {"compile": dict(backend="eager")}))
    )
    losses = [r.message_hub.get_scalar("train/loss").data[0].tolist() for r in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_model_without_such_a_network_is_refused(images, tmp_path):
    with pytest.raises(ValueError, match="has no network"):
        run(images, tmp_path / "run", custom_hooks=[dict(type="AccelerationHook", networks=["backbone"])])
    assert AccelerationHook().compile is None


def test_a_test_gets_the_layout_and_does_not_compile():
    model = siamese(SRCNN)
    with mock.patch.object(torch.nn.Module, "compile", side_effect=AssertionError, create=True):
        AccelerationHook(channels_last=True, compile=True).before_test(SimpleNamespace(model=model))
    weight = model.generator.conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert model.generator.conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_without_a_compiler_networks_run_as_they_are_and_it_is_said():
    def no_compiler(graph, inputs):
        raise RuntimeError("no C++ compiler: g++")

    model, log = siamese(SRCNN), mock.Mock()
    AccelerationHook(compile=dict(backend=no_compiler)).before_train(SimpleNamespace(model=model, logger=log))
    (said,) = (call.args[0] for call in log.warning.call_args_list)
    assert "Networks are not compiled: torch.compile does not work here" in said
    assert "no C++ compiler: g++" in said
    model.train().train_step(photo_batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0)))


def test_activation_checkpointing_gives_the_same_training(images, tmp_path):
    plain = run(images, tmp_path / "plain", "edsr", 3)
    # a part of the network, as with any stock model: MMEngine's checkpointing needs inputs that have gradients
    again = run(images, tmp_path / "again", "edsr", 3, activation_checkpointing=["generator.body"])
    for a, b in zip(states(plain), states(again)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
