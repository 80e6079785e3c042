"""A wrapped model is an ordinary object: one class for each stock class, that is refused early, pickled and copied."""

import copy
import pickle
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from mmagic.models import BaseEditModel
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage, MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from mmtempreg.models.siamese import Regularizer, SiameseEditModel
from mmtempreg.models.siamese.families import FAMILIES as KINDS
from mmtempreg.models.siamese.siamese_edit_model import siamese_class
from testing.processes import free_port
from testing.stock_models import BY_KIND, family_config, untrained_vgg
from tests.models.test_siamese import HDR, SRCNN, hdr_batch, siamese


@pytest.fixture
def process_group():
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{free_port()}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def prepared(family, images, tmp_path):
    """A small model of the family, a batch, and the config of its optimiser."""
    config = family_config(family, images, tmp_path, 1, small=True)
    with untrained_vgg():
        model = MODELS.build(config.model)
    model.init_weights()
    return model, next(iter(Runner.build_dataloader(config.train_dataloader, seed=0))), config.optim_wrapper


def copies(model):
    return [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]


def after_a_step(model, batch, optim_wrapper):
    torch.manual_seed(1)  # dropout
    MessageHub.get_current_instance().update_info("iter", 0)
    model.train()
    losses = model.train_step(copy.deepcopy(batch), build_optim_wrapper(model, copy.deepcopy(optim_wrapper)))
    return {name: float(value) for name, value in losses.items()}, model.state_dict()


def test_every_family_of_models_has_a_config_here():
    assert len(BY_KIND) == len(KINDS)


@pytest.mark.parametrize("family", BY_KIND, ids=lambda family: family.name)
@pytest.mark.slow
def test_copies_and_pickles_train_as_the_model_does(family, images, tmp_path):
    model, batch, optim_wrapper = prepared(family, images, tmp_path)
    others = copies(model)
    losses, weights = after_a_step(model, batch, optim_wrapper)
    assert "loss_reg" in losses
    for other in others:
        assert type(other) is type(model)
        assert isinstance(other, SiameseEditModel)
        other_losses, other_weights = after_a_step(other, batch, optim_wrapper)
        assert other_losses == losses
        assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@pytest.mark.parametrize("family", BY_KIND, ids=lambda family: family.name)
@pytest.mark.slow
def test_copies_and_pickles_through_ddp_and_ema(family, images, tmp_path, process_group):
    model, _, _ = prepared(family, images, tmp_path)
    inside = [copied.module for copied in copies(MMDistributedDataParallel(copy.deepcopy(model)))]
    # MMEngine's own wrapper for GANs cannot be copied, but what it wraps network by network can
    inside += copies(MMSeparateDistributedDataParallel(copy.deepcopy(model)).module)
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)
    for other in [*inside, average.module, *(copied.module for copied in copies(average))]:
        assert type(other) is type(model)
        assert other.regularizer.alpha == model.regularizer.alpha
        state = {name.replace("module.", ""): value for name, value in other.state_dict().items()}
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_gradients_of_a_copied_translation_are_still_averaged(images, tmp_path):
    (family,) = (family for family in BY_KIND if family.name == "pix2pix")
    model = prepared(family, images, tmp_path)[0]
    module = "mmtempreg.models.siamese.families.translation"
    with mock.patch(f"{module}.get_world_size", return_value=2), mock.patch(f"{module}.all_reduce") as reduce:
        for one in [model, *copies(model)]:
            reduce.reset_mock()
            parameter = next(one.parameters())
            parameter.sum().backward()
            assert reduce.call_count == 1  # once: a hook too many would average twice
            assert (parameter.grad == 0.5).all()


def test_one_class_for_each_stock_class():
    a, b, hdr = siamese(), siamese(), siamese(HDR)
    assert type(a) is type(b) is siamese_class(BaseEditModel)
    assert type(a) is not type(hdr)
    assert isinstance(a, BaseEditModel)
    assert type(a).__name__ == "SiameseBaseEditModel"
    assert type(a).stock_class is BaseEditModel


def test_what_is_refused_has_not_been_built():
    class Untold(BaseEditModel):
        def __init__(self, **kwargs):
            raise AssertionError("built")

        def forward_train(self, *args, **kwargs):
            """A step of its own."""

    with pytest.raises(TypeError, match="training step is its own"):
        SiameseEditModel(model=dict(type=Untold))
    built = mock.patch.object(BaseEditModel, "__init__", side_effect=AssertionError("built"))
    with built, pytest.raises(ValueError, match="alpha must be a number in"):
        siamese(alpha=2)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (None, ValueError, "needs `model`"),
        (dict(type="NoSuchModel"), KeyError, "NoSuchModel"),
        (dict(generator=1), (KeyError, TypeError), "type"),
        (dict(type=len), TypeError, "wraps classes of models"),
        (dict(SRCNN, no_such_option=1), TypeError, "no_such_option"),
    ],
    ids=["none", "unknown", "no type", "no class", "option"],
)
def test_configs_of_no_model(model, error, match):
    with pytest.raises(error, match=match):
        SiameseEditModel(model=model)


def test_the_type_may_be_a_class_and_the_scope_be_named():
    by_class = SiameseEditModel(model=dict(SRCNN, type=BaseEditModel))
    by_scope = SiameseEditModel(model=dict(SRCNN, type="mmagic.BaseEditModel"))
    by_key = SiameseEditModel(model=dict(SRCNN, _scope_="mmagic"))
    assert type(by_class) is type(by_scope) is type(by_key)
    assert by_class.regularizer is None


def test_regularized_otherwise_for_a_while():
    model = siamese(HDR)
    before = model.regularizer
    other = Regularizer(before.transform, before.loss, alpha=0.5, seed=7)
    seen = []
    sample = Regularizer.sample

    def watched(self, x, generator, image_range):
        drawn = sample(self, x, generator, image_range)
        seen.append((self.seed, drawn[0].matrix))
        return drawn

    with mock.patch.object(Regularizer, "sample", watched):
        for regularizer, iteration in ((other, 3), (other, 3), (other, 4), (None, None)):
            with model.regularized_by(regularizer, iteration):
                assert model.regularizer is regularizer
                model(**model.data_preprocessor(hdr_batch(), True), mode="loss")
    assert model.regularizer is before
    assert [seed for seed, _ in seen] == [7, 7, 7]
    assert torch.equal(seen[0][1], seen[1][1])
    assert not torch.equal(seen[0][1], seen[2][1])
    with pytest.raises(ZeroDivisionError), model.regularized_by(None):
        raise ZeroDivisionError
    assert model.regularizer is before


def test_mmagics_base_of_translations_has_no_family():
    with pytest.raises(TypeError, match="none of SRGAN, ESRGAN, RealESRGAN"):
        siamese_class(BaseTranslationModel)
