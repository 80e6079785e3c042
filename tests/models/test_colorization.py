from unittest import mock

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from skimage.color import lab2rgb, rgb2lab
from torchvision.models import vgg16

from mmtempreg.functional import rgb_to_lab
from mmtempreg.models.colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from mmtempreg.models.hdr import num_variables


def test_variables_as_the_paper_counts_them():
    assert num_variables(ColorizationCNN()) == 1_568_698
    assert num_variables(ColorizationCNN(width=64)) == 6_261_610
    assert num_variables(ColorizationVGG()) == 19_422_634


@pytest.mark.parametrize("size", [(64, 64), (50, 77), (8, 9), (33, 31)])
@pytest.mark.parametrize("network", [ColorizationCNN(width=8), ColorizationVGG()], ids=["cnn", "vgg"])
def test_any_size_gives_half_of_it(network, size):
    with torch.no_grad():
        ab = network.eval()(torch.rand(1, 1, *size) * 2 - 1)
    assert ab.shape == (1, 2, (size[0] + 1) // 2, (size[1] + 1) // 2)


@pytest.mark.parametrize(("activation", "low", "high"), [(None, -99, 99), ("ReLU", 0, 99), ("Tanh", -1, 1)])
def test_only_without_relu_there_is_green_and_blue(activation, low, high):
    network = ColorizationCNN(width=8, out_activation=activation)
    network.init_weights()
    torch.nn.init.constant_(network.last.norm.weight, 3)
    ab = network(torch.rand(4, 1, 32, 32) * 2 - 1)
    assert low <= float(ab.min()) <= max(low, -0.9)
    assert 0.9 < float(ab.max()) <= high


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="out_activation must be one of"):
        ColorizationCNN(out_activation="GELU")


def test_a_new_network_guesses_pale_colours():
    network = ColorizationCNN()
    network.init_weights()
    ab = network(torch.rand(4, 1, 32, 32) * 2 - 1)
    assert 0.05 < float(ab.std()) < 0.2


# ---------------------------------------------------------------- VGG16's weights


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.slow
def test_the_encoder_is_torchvisions_vgg16(tmp_path, prefix):
    stock = vgg16(weights=None)
    weights = {prefix + name: value for name, value in stock.state_dict().items() if "classifier.6" not in name}
    torch.save(dict(state_dict=weights) if prefix else weights, tmp_path / "vgg16.pth")
    network = ColorizationVGG(vgg16=str(tmp_path / "vgg16.pth"))
    network.init_weights()
    grey = torch.rand(1, 1, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = stock.features((grey.expand(1, 3, 64, 64) - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    seen = []
    network.decoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(grey * 2 - 1)
    torch.testing.assert_close(seen[0], expected, rtol=1e-3, atol=1e-4)


def test_files_that_do_not_hold_vgg16(tmp_path):
    network = ColorizationVGG(vgg16=str(tmp_path / "none.pth"))
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        network.init_weights()
    torch.save({"features.0.weight": torch.zeros(2, 3)}, tmp_path / "none.pth")
    with pytest.raises(ValueError, match=r"none\.pth does not hold VGG16: features\.0\.weight \(\(64, 3, 3, 3\)\)"):
        network.init_weights()


# ---------------------------------------------------------------- the model


def build(**kwargs):
    return MODELS.build(dict(type="ColorizationModel", generator=dict(type="ColorizationCNN", width=8), **kwargs))


def packed(*images):
    """(H, W, 3) uint8 RGB as the data loader gives them."""
    samples = []
    for image in images:
        sample = DataSample(gt_img=torch.from_numpy(image.copy()).permute(2, 0, 1))
        sample.set_metainfo(dict(img_channel_order="rgb", gt_channel_order="rgb"))
        samples.append(sample)
    return dict(inputs=[torch.from_numpy(image.copy()).permute(2, 0, 1) for image in images], data_samples=samples)


@pytest.fixture
def image():
    coarse = np.random.default_rng(0).random((5, 6, 3))
    return (np.kron(coarse, np.ones((4, 4, 1))) * 255).astype(np.uint8)


def test_the_network_sees_the_lightness_and_nothing_else(image):
    model = build().eval()
    seen = []
    model.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.test_step(packed(image))
    assert seen[0].shape == (1, 1, 20, 24)
    np.testing.assert_allclose(seen[0][0, 0].numpy(), rgb2lab(image)[..., 0] / 50 - 1, atol=1e-4)


def test_the_true_colours_give_the_true_image_and_no_loss(image):
    model = build(loss_resolution="full").eval()
    truth = torch.from_numpy(rgb2lab(image)[..., 1:] / 110).permute(2, 0, 1).float()[None]
    model.generator.forward = lambda x: truth
    (sample,) = model.test_step(packed(image))
    rgb = sample.output.pred_img.flip(0).permute(1, 2, 0)  # results are BGR
    np.testing.assert_allclose(rgb.numpy(), image, atol=0.2)
    torch.testing.assert_close(sample.output.pred_ab, truth[0], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(sample.gt_img.flip(0).permute(1, 2, 0).numpy(), image)
    data = model.data_preprocessor(packed(image), True)
    assert float(model(**data, mode="loss")["loss"]) == pytest.approx(0, abs=1e-9)


def test_predictions_at_half_the_resolution_are_enlarged_and_joined_with_the_full_lightness(image):
    model = build().eval()
    half = torch.rand(1, 2, 10, 12) * 0.2
    model.generator.forward = lambda x: half
    (sample,) = model.test_step(packed(image))
    enlarged = torch.nn.functional.interpolate(half, size=(20, 24), mode="bilinear", align_corners=False)[0]
    lab = np.concatenate([rgb2lab(image)[..., :1], 110 * enlarged.permute(1, 2, 0).numpy()], axis=-1)
    rgb = sample.output.pred_img.flip(0).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(rgb, lab2rgb(lab) * 255, atol=0.3)


def test_the_loss_is_the_mean_square_at_half_the_resolution(image):
    model = build().train()
    batch = [image, image[:, ::-1]]
    data = model.data_preprocessor(packed(*batch), True)
    prediction = torch.rand(2, 2, 10, 12)
    model.generator.forward = lambda x: prediction
    truth = np.stack([rgb2lab(x)[..., 1:] / 110 for x in batch]).transpose(0, 3, 1, 2)
    halved = truth.reshape(2, 2, 10, 2, 12, 2).mean(axis=(3, 5))  # what bilinear does at exactly one half
    expected = ((prediction.numpy() - halved) ** 2).mean()
    assert float(model(**data, mode="loss")["loss"]) == pytest.approx(expected, rel=1e-4)


def test_an_unknown_resolution_is_refused():
    with pytest.raises(ValueError, match="loss_resolution must be one of"):
        build(loss_resolution="quarter")


# ---------------------------------------------------------------- siamese


def wrapped(regularization, transform=dict(type="RandomAffine"), **kwargs):
    inner = dict(type="ColorizationModel", generator=dict(type="ColorizationCNN", width=8), **kwargs)
    return MODELS.build(
        dict(
            type="SiameseEditModel",
            model=inner,
            transform=transform,
            regularization=dict(type=regularization),
            alpha=0.8,
        )
    ).train()


def test_t_moves_the_rgb_image_and_the_network_sees_its_lightness(image):
    model = wrapped("TransformInvarianceLoss")
    seen = []
    model.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    data = model.data_preprocessor(packed(image), True)
    model(**data, mode="loss")
    plain, moved = seen
    assert plain.shape == moved.shape == (1, 1, 20, 24)
    assert not torch.equal(plain, moved)
    assert float(moved.min()) >= -1.0001  # black, not the grey of a warped L / 50 - 1
    assert float(moved.max()) <= 1.0001


@pytest.mark.parametrize("resolution", ["half", "full"])
def test_a_network_that_commutes_with_motion_is_transform_invariant(image, resolution):
    """f(x) = constant: T moves it where it knows the values, and nothing remains."""
    model = wrapped("TransformInvarianceLoss", loss_resolution=resolution)
    model.generator.forward = lambda x: torch.full((len(x), 2, 10, 12), 0.3)
    losses = model(**model.data_preprocessor(packed(image), True), mode="loss")
    assert float(losses["loss_reg"]) == pytest.approx(0, abs=1e-6)


def data_inputs(model, image):
    return model.data_preprocessor(packed(image), True)["inputs"]


def test_sparse_jacobian_is_small_for_the_truth(image):
    model = wrapped("SparseJacobianLoss", loss_resolution="full")

    def true_colours(self, inputs, data_samples=None):
        return rgb_to_lab(inputs)[:, 1:] / 110

    with mock.patch.object(ColorizationModel, "forward_tensor", true_colours):
        losses = model(**model.data_preprocessor(packed(image), True), mode="loss")
    assert float(losses["loss"]) == pytest.approx(0, abs=1e-9)
    # T is not linear in Lab: the colours of a blend are not the blend of the colours
    assert float(losses["loss_reg"]) < 0.05 * float(true_colours(None, data_inputs(model, image)).square().mean())


@pytest.mark.parametrize(
    "regularization", ["TransformInvarianceLoss", "SparseJacobianLoss", "StabilityLoss", "AugmentationLoss"]
)
def test_every_regulariser_trains_it(image, regularization):
    model = wrapped(regularization)
    losses = model(**model.data_preprocessor(packed(image, image[::-1]), True), mode="loss")
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert float(model.generator.last.conv.weight.grad.abs().max()) > 0
