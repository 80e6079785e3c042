"""A moved scene, photographed twice, and the training that takes it."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.dataset import pseudo_collate
from PIL import Image
from skimage import data

from mmtempreg.datasets.photograph_twice import reduced
from mmtempreg.datasets.virtual_camera import VirtualCamera
from mmtempreg.models.siamese import SiameseEditModel
from mmtempreg.transforms import GivenShift
from tests.models.test_siamese import HDR, SRCNN

PHOTO = np.ascontiguousarray(data.astronaut()[:200, :240])
EXACT = dict(type="PhotographTwice", crop_size=48, scale=4, shift=6, zoom_out=1.0, noise=0, jpeg_quality=None)


def make(**options):
    return TRANSFORMS.build({**EXACT, **options})


def photographed(seed=0, **options):
    np.random.seed(seed)
    return make(**options).transform(dict(gt=PHOTO, gt_channel_order="rgb", gt_path="photo.png"))


def test_the_reduction_is_pillows():
    ours, theirs = reduced(PHOTO, 4), Image.fromarray(PHOTO).resize((60, 50), Image.Resampling.BICUBIC)
    assert np.abs(np.clip(np.rint(ours), 0, 255) - np.asarray(theirs)).max() <= 2  # Pillow rounds between the axes
    assert (reduced(PHOTO, 1) == PHOTO).all()


@pytest.mark.parametrize("seed", range(5))
def test_both_photographs_are_of_crops_that_lie_as_far_apart_as_it_says(seed):
    out = photographed(seed)
    places = [
        (y, x)
        for y in range(PHOTO.shape[0] - 47)
        for x in range(PHOTO.shape[1] - 47)
        if (PHOTO[y, x] == out["gt"][0, 0]).all() and (PHOTO[y : y + 48, x : x + 48] == out["gt"]).all()
    ]
    ((top, left),) = places
    right, down = (round(4 * offset) for offset in out["moved_by"])
    assert max(abs(right), abs(down)) <= 6
    moved = PHOTO[top + down : top + down + 48, left + right : left + right + 48]
    for image, crop in ((out["img"], out["gt"]), (out["moved_img"], moved)):
        assert image.dtype == np.uint8
        assert (image == np.clip(np.rint(reduced(crop, 4)), 0, 255)).all()
    assert out["img_channel_order"] == out["moved_img_channel_order"] == "rgb"


def test_noise_and_compression_differ_from_frame_to_frame():
    out = photographed(shift=0, noise=10)
    difference = out["img"].astype(float) - out["moved_img"]
    assert 0 < difference.std() < 2**0.5 * 10
    out = photographed(shift=0, jpeg_quality=(20, 90))
    assert (out["img"] != out["moved_img"]).any()
    assert (photographed(3)["img"] == photographed(3)["img"]).all()


def test_scenes_of_several_sizes_are_never_too_small():
    for seed in range(20):
        assert photographed(seed, zoom_out=0.1)["gt"].shape == (48, 48, 3)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(crop_size=50), "multiple of scale"),
        (dict(shift=-1), "shift must be a whole number >= 0"),
        (dict(noise=-1), r"noise must be a number in \[0, 255\]"),
        (dict(zoom_out=0), "zoom_out must be a number in"),
        (dict(jpeg_quality=(90, 20)), "jpeg_quality must be 2 values"),
    ],
)
def test_options_out_of_range(options, match):
    with pytest.raises(ValueError, match=match):
        make(**options)


def test_images_that_are_too_small_are_named():
    with pytest.raises(ValueError, match=r"photo\.png is 240x200: crop and shift need 212 pixels"):
        photographed(crop_size=200)


# ---------------------------------------------------------------- the training


PACK = dict(type="PackInputs", data_keys=["moved_img"], meta_keys=["moved_by", "moved_img_channel_order"])
STOCK = dict(SRCNN, generator=dict(SRCNN["generator"], upscale_factor=4))


def batch(n=3, **options):
    pack = TRANSFORMS.build(PACK)
    return pseudo_collate([pack.transform(photographed(seed, **options)) for seed in range(n)])


def wrapped(stock=STOCK, **options):
    config = dict(transform=dict(type="GivenShift"), regularization=dict(type="TransformInvarianceLoss"), alpha=0.5)
    return MODELS.build(dict(type="SiameseEditModel", model=copy.deepcopy(stock), **{**config, **options}))


@pytest.mark.parametrize("fraction", [1.0, 0.5])
@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_the_loss_is_that_of_the_overlap(fraction, order):
    """Of the second photographs, whole pixels of the prediction apart: slices, no interpolation."""
    stock = dict(STOCK, data_preprocessor=dict(STOCK["data_preprocessor"], output_channel_order=order))
    model = wrapped(stock, regularize_fraction=fraction)
    items = batch()
    prepared = model.data_preprocessor(copy.deepcopy(items), True)
    losses = model(**prepared, mode="loss")
    squares, used = [], 3 if fraction == 1 else 2
    for n in range(used):
        x, moved = (
            torch.from_numpy(photographed(n)[key]).permute(2, 0, 1)[None].float() / 255 for key in ("img", "moved_img")
        )
        if order == "BGR":
            x, moved = x.flip(1), moved.flip(1)
        with torch.no_grad():
            f_x, f_tx = model.generator(x), model.generator(moved)
        right, down = (round(4 * offset) for offset in photographed(n)["moved_by"])
        # f_tx at p shows what f_x shows at p + offset
        shifted = torch.roll(F.pad(f_x, (8, 8, 8, 8)), (-down, -right), (-2, -1))[..., 8:-8, 8:-8]
        seen = torch.roll(F.pad(torch.ones_like(f_x), (8, 8, 8, 8)), (-down, -right), (-2, -1))[..., 8:-8, 8:-8]
        inner = torch.zeros_like(f_x)
        inner[..., 4:-4, 4:-4] = 1  # a pixel of the input
        seen = seen * inner * torch.roll(F.pad(inner, (8, 8, 8, 8)), (-down, -right), (-2, -1))[..., 8:-8, 8:-8]
        squares.append(((f_tx - shifted) * seen).square().mean())
    torch.testing.assert_close(losses["loss_reg"].detach(), torch.stack(squares).mean(), rtol=1e-5, atol=1e-8)


def test_a_gan_takes_it_too():
    network = dict(type="MSRResNet", in_channels=3, out_channels=3, mid_channels=4, num_blocks=1, upscale_factor=4)
    stock = dict(type="SRGAN", generator=network, pixel_loss=dict(type="L1Loss"),
                 data_preprocessor=STOCK["data_preprocessor"])  # fmt: skip
    model = wrapped(stock)
    prepared = model.data_preprocessor(batch(), True)
    out = model.forward_train(prepared["inputs"], prepared["data_samples"])
    losses = model.g_step(out, prepared["data_samples"].gt_img)
    assert losses["loss_reg"] > 0


def test_a_batch_without_second_photographs_is_refused():
    model = wrapped()
    items = batch()
    for sample in items["data_samples"]:
        sample.pop("moved_img")
    with pytest.raises(ValueError, match="needs a data pipeline with PhotographTwice"):
        model(**model.data_preprocessor(items, True), mode="loss")
    with pytest.raises(ValueError, match="draws nothing"):
        GivenShift().sample(torch.zeros(1, 3, 4, 4))


def test_outside_training_nothing_changes():
    model = wrapped()
    stock = MODELS.build(copy.deepcopy(STOCK))
    assert isinstance(model, SiameseEditModel)
    assert list(model.state_dict()) == list(stock.state_dict())
    stock.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 12, 12)
    assert torch.equal(model(x, mode="tensor"), stock(x, mode="tensor"))


# ---------------------------------------------------------------- HDR


HDR_PACK = dict(PACK, meta_keys=[*PACK["meta_keys"], "clip"])


def hdr_dataset(tmp_path, **camera):
    pipeline = [dict(type="PhotographRadianceTwice", crop_size=24, shift=3), HDR_PACK]
    options = dict(data_root=str(tmp_path), num_images=2, size=32, seed=5, pipeline=pipeline)
    dataset = DATASETS.build(dict(type="ProceduralHDRDataset", **options))
    dataset.camera = VirtualCamera(**camera)
    return dataset


def test_radiance_is_moved_and_photographed_with_the_same_camera(tmp_path):
    data = hdr_dataset(tmp_path, noise=0.0, hue=0.0, saturation=0.0, jpeg=False)
    whole = data.get_data_info(1)
    np.random.seed(3)
    packed = data[1]
    sample = packed["data_samples"]
    right, down = map(int, sample.moved_by)
    gt = sample.gt_img.permute(1, 2, 0).numpy()
    ((top, left),) = [(y, x) for y in range(9) for x in range(9) if (whole["gt"][y : y + 24, x : x + 24] == gt).all()]
    crop = lambda image, y, x: image[y : y + 24, x : x + 24]  # noqa: E731
    assert (packed["inputs"].permute(1, 2, 0).numpy() == crop(whole["img"], top, left)).all()
    moved = sample.moved_img.permute(1, 2, 0).numpy()
    assert (moved == crop(whole["img"], top + down, left + right)).all()  # no noise: the very photograph, elsewhere


def test_noise_is_another_in_the_second_photograph(tmp_path):
    data = hdr_dataset(tmp_path, noise=0.05, jpeg=False)
    np.random.seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "randint", lambda low, high=None, size=None: np.full(size or (), max(0, low)))
        sample = data[0]
    difference = sample["inputs"].float() - sample["data_samples"].moved_img.float()
    assert sample["data_samples"].moved_by == (0.0, 0.0)
    assert difference.std() > 0.5


def test_hdr_networks_are_trained_with_it(tmp_path):
    data = hdr_dataset(tmp_path)
    model = wrapped(HDR)
    prepared = model.data_preprocessor(pseudo_collate([data[0], data[1]]), True)
    moved = prepared["data_samples"].moved_img
    assert moved.max() <= 1  # as the input
    assert prepared["data_samples"].gt_img.max() > 1  # radiance
    assert model(**prepared, mode="loss")["loss_reg"] > 0


def test_scenes_that_are_too_small_are_named(tmp_path):
    with pytest.raises(ValueError, match="a scene of 32x32 is too small for crops of 30"):
        TRANSFORMS.build(dict(type="PhotographRadianceTwice", crop_size=30)).transform(
            hdr_dataset(tmp_path).get_data_info(0)
        )
    with pytest.raises(ValueError, match=r"crop_size must be a whole number in \[1, 1e9\]"):
        TRANSFORMS.build(dict(type="PhotographRadianceTwice", crop_size=0))
