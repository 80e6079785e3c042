"""Training in two processes without a GPU (gloo)."""

import copy
from unittest import mock

import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.dist import get_world_size
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import turn_on_activation_checkpointing

from mmtempreg.transforms import RandomAffine, draw_generator
from mmtempreg.transforms.affine import AffineTransform
from testing.processes import in_processes

SEED, ITERATION = 3, 5


class DrawsOfTwoRanks(RandomAffine):
    """In one process: what two processes draw for the two halves of the batch."""

    def sample(self, x, generator=None, image_range=None):
        if get_world_size() == 2:
            return super().sample(x, generator, image_range)
        halves = [
            super(DrawsOfTwoRanks, self).sample(half, draw_generator(SEED, ITERATION, rank), image_range)
            for rank, half in enumerate(x.chunk(2))
        ]
        return AffineTransform(torch.cat([half.matrix for half in halves]), halves[0].size, self.padding_mode)


@pytest.fixture(autouse=True)
def _registered():
    MODELS.register_module(module=DrawsOfTwoRanks, force=True)
    yield
    MODELS.module_dict.pop("DrawsOfTwoRanks")


NETWORK = dict(type="MSRResNet", in_channels=3, out_channels=3, mid_channels=8, num_blocks=1, upscale_factor=2)
PREPROCESSOR = dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3)
EDIT = dict(type="BaseEditModel", generator=NETWORK, pixel_loss=dict(type="L1Loss"), data_preprocessor=PREPROCESSOR)
SRGAN = dict(
    type="SRGAN",
    generator=NETWORK,
    discriminator=dict(type="UNetDiscriminatorWithSpectralNorm", in_channels=3, mid_channels=4),
    gan_loss=dict(type="GANLoss", gan_type="vanilla", loss_weight=0.1, real_label_val=1.0, fake_label_val=0),
    pixel_loss=dict(type="L1Loss"),
    data_preprocessor=PREPROCESSOR,
)
PIX2PIX = dict(
    type="Pix2Pix",
    generator=dict(type="UnetGenerator", in_channels=3, out_channels=3, num_down=5, base_channels=4,
                   norm_cfg=dict(type="IN"), use_dropout=False),
    discriminator=dict(type="PatchDiscriminator", in_channels=6, base_channels=4, num_conv=2, norm_cfg=dict(type="IN")),
    default_domain="photo", reachable_domains=["photo"], related_domains=["photo", "mask"],
    data_preprocessor=dict(type="DataPreprocessor", data_keys=["img_photo", "img_mask"]),
    loss_config=dict(pixel_loss_weight=1.0),
)  # fmt: skip


def build(config, **options):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type="SiameseEditModel", model=copy.deepcopy(config), transform=dict(type="DrawsOfTwoRanks"),
            regularization=dict(type="TransformInvarianceLoss", distance=dict(type="L1Loss")), alpha=0.5, seed=SEED,
            **options,
        )
    )  # fmt: skip


def batch(config):
    generator = torch.Generator().manual_seed(1)

    def images(size):
        return [torch.randint(0, 256, (3, size, size), generator=generator, dtype=torch.uint8) for _ in range(4)]

    if config["type"] == "Pix2Pix":
        photos, masks = images(32), images(32)
        inputs = [dict(img_photo=photo, img_mask=mask) for photo, mask in zip(photos, masks)]
        return dict(inputs={k: [i[k] for i in inputs] for k in inputs[0]}, data_samples=[DataSample() for _ in inputs])
    samples = []
    for gt in images(32):
        sample = DataSample(gt_img=gt)
        sample.set_metainfo(dict(img_channel_order="BGR", gt_channel_order="BGR"))
        samples.append(sample)
    return dict(inputs=images(16), data_samples=samples)


def half(data, rank):
    part = slice(2 * rank, 2 * rank + 2)
    inputs = data["inputs"]
    inputs = {k: v[part] for k, v in inputs.items()} if isinstance(inputs, dict) else inputs[part]
    return dict(inputs=inputs, data_samples=data["data_samples"][part])


def gradients(config, rank=None, **options):
    """The gradients of a step: how far SGD with learning rate 1 goes."""
    model, data = build(config, **options), batch(config)
    model.train()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    def optimiser(module):
        return OptimWrapper(torch.optim.SGD(module.parameters(), lr=1.0))

    if config["type"] == "BaseEditModel":
        parts = optimiser(model)
    else:
        names = ("generators", "discriminators") if config["type"] == "Pix2Pix" else ("generator", "discriminator")
        parts = OptimWrapperDict(**{name: optimiser(getattr(model, name)) for name in names})
    MessageHub.get_current_instance().update_info("iter", ITERATION)
    stepper = model
    if rank is not None:
        data = half(data, rank)
        wrapper = MMDistributedDataParallel if config["type"] == "BaseEditModel" else MMSeparateDistributedDataParallel
        stepper = wrapper(module=model, broadcast_buffers=False, find_unused_parameters=False)
    stepper.train_step(data, optim_wrapper=parts)
    MessageHub.get_current_instance().update_info("iter", 0)
    after = {name.replace(".module.", "."): p.detach() for name, p in model.named_parameters()}
    return {name: before[name] - after[name] for name in before}


@pytest.mark.parametrize("config", [EDIT, SRGAN, PIX2PIX], ids=lambda c: c["type"])
@pytest.mark.parametrize("single_pass", [False, True], ids=["two passes", "one pass"])
def test_two_processes_have_the_gradients_of_one_with_the_double_batch(config, single_pass, tmp_path):
    results = in_processes(lambda rank: gradients(config, rank, single_pass=single_pass), 2, tmp_path)
    one = gradients(config, single_pass=single_pass)
    largest = max(float((results[0][name] - gradient).abs().max()) for name, gradient in one.items())
    print(
        f"{config['type']}: largest gradient difference {largest:.1e} of {max(g.abs().max() for g in one.values()):.2g}"
    )
    for name, gradient in one.items():
        assert torch.equal(results[0][name], results[1][name]), name
        torch.testing.assert_close(results[0][name], gradient, rtol=1e-4, atol=1e-6)
    assert sum(float(g.abs().sum()) > 0 for g in one.values()) > 0.8 * len(one)


def test_each_rank_draws_its_own_transform_again_and_again(tmp_path):
    def draws(rank):
        x = torch.zeros(2, 3, 8, 8)
        return [RandomAffine().sample(x, draw_generator(0, i, rank)).matrix for i in (0, 1, 0)]

    a, b = in_processes(draws, 2, tmp_path)
    assert torch.equal(a[0], a[2])
    assert not torch.equal(a[0], a[1])
    assert not torch.equal(a[0], b[0])
    assert torch.equal(draws(1)[1], b[1])


def checkpointed_gradients(rank, **options):
    """With MMEngine's activation checkpointing of the network's trunk."""

    def checkpointed(*args, **kwargs):
        model = build_plain(*args, **kwargs)
        turn_on_activation_checkpointing(model, ["generator.trunk_net"])
        return model

    build_plain = build
    with mock.patch(f"{__name__}.build", checkpointed):
        return gradients(EDIT, rank, **options)


def test_activation_checkpointing_in_two_processes_needs_a_single_pass(tmp_path):
    """MMEngine's checkpointing is reentrant: DistributedDataParallel allows it once in a step."""
    results = in_processes(lambda rank: checkpointed_gradients(rank, single_pass=True), 2, tmp_path)
    for name, gradient in gradients(EDIT, single_pass=True).items():
        torch.testing.assert_close(results[0][name], gradient, rtol=1e-4, atol=1e-6)

    def refused(rank):
        with pytest.raises(RuntimeError, match="ready only once"):
            checkpointed_gradients(rank)

    in_processes(refused, 2, tmp_path)
