import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from scipy.ndimage import gaussian_filter1d
from torchvision.models import vgg16

from mmtempreg.functional import illumination
from mmtempreg.losses import SiameseOutputs
from mmtempreg.transforms import PathStep, RandomAffine, draw_generator

LOSSES = ["StabilityLoss", "TransformInvarianceLoss", "SparseJacobianLoss", "AugmentationLoss"]


@pytest.fixture
def outputs():
    f_x, f_tx, target = torch.rand(3, 2, 3, 24, 32, dtype=torch.float64)
    weight = torch.rand(2, 1, 24, 32, dtype=torch.float64)
    transform = RandomAffine(padding_mode="zeros").sample(f_x, draw_generator(0, 0))
    return SiameseOutputs(f_x, f_tx, target, transform, weight=weight)


def by_hand(name, o, valid):
    """The authors' formulas (mean of squares, the mask inside the square), as facts about hdrcnn state them."""
    move = o.transform.apply_output
    a, b, w = {
        "StabilityLoss": (o.f_tx, o.f_x, torch.maximum(o.weight, move(o.weight))),
        "TransformInvarianceLoss": (o.f_tx, move(o.f_x), move(o.weight)),
        "SparseJacobianLoss": (
            o.f_tx - o.f_x,
            move(o.target) - o.target,
            torch.maximum(o.weight, move(o.weight)),
        ),
        "AugmentationLoss": (o.f_tx, move(o.target), move(o.weight)),
    }[name]
    return (((a - b) * w * valid) ** 2).mean()


@pytest.mark.parametrize("name", LOSSES)
def test_equals_the_formula(name, outputs):
    valid = outputs.transform.valid(outputs.f_x)
    assert 0.5 < float(valid.mean()) < 1
    loss = MODELS.build(dict(type=name))(outputs)
    torch.testing.assert_close(loss, by_hand(name, outputs, valid))
    everywhere = MODELS.build(dict(type=name, valid_only=False))(outputs)
    torch.testing.assert_close(everywhere, by_hand(name, outputs, 1.0))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("distance", ["L1Loss", "CharbonnierLoss", "MSELoss", "L2NormLoss"])
def test_any_pixel_loss_is_a_distance(name, distance, outputs):
    outputs.f_tx.requires_grad_()
    loss = MODELS.build(dict(type=name, distance=dict(type=distance)))(outputs)
    loss.backward()
    assert loss.ndim == 0
    assert torch.isfinite(outputs.f_tx.grad).all()
    assert float(outputs.f_tx.grad.abs().sum()) > 0


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name, outputs):
    loss = MODELS.build(dict(type=name))
    for part in ("f_x", "f_tx"):
        if part == "f_x" and name == "AugmentationLoss":
            continue

        def value(x, part=part):
            return loss(SiameseOutputs(**{**vars(outputs), part: x}))

        small = getattr(outputs, part).clone().requires_grad_()
        assert torch.autograd.gradcheck(value, (small,), fast_mode=True)


# ---------------------------------------------------------------- several transforms, several losses


@pytest.fixture
def clip():
    """Of a pseudo-clip of five frames, what the losses see."""
    f_x, target, *f_tx = torch.rand(6, 2, 3, 24, 32, dtype=torch.float64)
    weight = torch.rand(2, 1, 24, 32, dtype=torch.float64)
    drawn = RandomAffine().sample(f_x, draw_generator(0, 0))
    return [
        SiameseOutputs(f_x, f, target, PathStep([(drawn, k)]), weight=weight) for k, f in enumerate(f_tx, start=1)
    ]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_several_transforms_give_the_mean(name, clip):
    loss = MODELS.build(dict(type=name))
    torch.testing.assert_close(loss(*clip), torch.stack([loss(one) for one in clip]).mean())


@pytest.mark.parametrize("valid_only", [True, False])
def test_temporal_residual_loss_is_scipys_highpass_of_the_errors(clip, valid_only):
    errors = [clip[0].f_x - clip[0].target] + [o.f_tx - o.transform.apply_output(o.target) for o in clip]
    errors = torch.stack(errors).numpy()
    highpass = errors - gaussian_filter1d(errors, 0.15 * 24, axis=0, mode="reflect", truncate=4)
    weight = np.stack([clip[0].weight] + [o.transform.apply_output(o.weight) for o in clip]).max(axis=0)
    if valid_only:
        weight = weight * np.stack([o.transform.valid(o.f_tx) for o in clip]).min(axis=0)
    expected = 2 * 5 / 4 * ((highpass * weight) ** 2).mean()
    loss = MODELS.build(dict(type="TemporalResidualLoss", valid_only=valid_only))
    assert float(loss(*clip)) == pytest.approx(expected, rel=1e-6)


def test_temporal_residual_loss_of_two_frames_is_sparse_jacobian(outputs):
    pair, jacobian = (MODELS.build(dict(type=name)) for name in ("TemporalResidualLoss", "SparseJacobianLoss"))
    assert float(pair(outputs)) == pytest.approx(float(jacobian(outputs)), rel=1e-3)


def test_temporal_residual_loss_without_weights_and_for_a_steady_error(clip):
    steady = [
        SiameseOutputs(o.target + 0.3, o.transform.apply_output(o.target) + 0.3, o.target, o.transform) for o in clip
    ]
    loss = MODELS.build(dict(type="TemporalResidualLoss"))
    assert float(loss(*steady)) < 1e-20
    assert float(loss(*(SiameseOutputs(o.f_x, o.f_tx, o.target, o.transform) for o in clip))) > 0


def test_gradients_of_the_temporal_residual_loss(clip):
    loss = MODELS.build(dict(type="TemporalResidualLoss"))

    def value(f_tx):
        return loss(*clip[:-1], SiameseOutputs(**{**vars(clip[-1]), "f_tx": f_tx}))

    assert torch.autograd.gradcheck(value, (clip[-1].f_tx.clone().requires_grad_(),), fast_mode=True)


def test_combined_losses_are_weighted_sums(outputs):
    parts = [dict(type="TransformInvarianceLoss"), dict(type="SparseJacobianLoss", distance=dict(type="L1Loss"))]
    first, second = (MODELS.build(part)(outputs) for part in parts)
    combined = dict(type="CombinedRegularizationLoss", losses=parts)
    torch.testing.assert_close(MODELS.build(combined)(outputs), (first + second) / 2)
    torch.testing.assert_close(MODELS.build(dict(combined, weights=[3, 0.5]))(outputs), 3 * first + 0.5 * second)
    with pytest.raises(ValueError, match="a weight for each"):
        MODELS.build(dict(combined, weights=[1]))


def test_a_distance_of_several_values_counts_their_sum(outputs):
    @MODELS.register_module(force=True)
    class TwoValues(torch.nn.Module):
        def forward(self, pred, target):
            return (pred - target).abs().mean(), None  # as PerceptualLoss without a style loss

    two, one = (MODELS.build(dict(type="StabilityLoss", distance=dict(type=name))) for name in ("TwoValues", "L1Loss"))
    torch.testing.assert_close(two(outputs), one(outputs))


@pytest.mark.slow
def test_the_perceptual_distance_of_a_local_vgg16(tmp_path, outputs):
    stock = vgg16(weights=None).eval()
    torch.save({k: v for k, v in stock.state_dict().items() if k.startswith("features")}, tmp_path / "vgg.pth")
    distance = dict(type="VGG16Loss", vgg16=str(tmp_path / "vgg.pth"), layers=4, low=-1.0, high=3.0)
    a, b = torch.rand(2, 2, 3, 16, 16)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    features = [stock.features[:4](((x + 1) / 4 - mean) / std) for x in (a, b)]
    loss = MODELS.build(distance)
    torch.testing.assert_close(loss(a, b), (features[0] - features[1]).abs().mean())
    assert not loss.state_dict()
    single = SiameseOutputs(
        outputs.f_x.float(), outputs.f_tx.float().requires_grad_(), outputs.target.float(), outputs.transform
    )
    MODELS.build(dict(type="SparseJacobianLoss", distance=distance))(single).backward()
    assert float(single.f_tx.grad.abs().max()) > 0
    with pytest.raises(ValueError, match="sees RGB, got 2 channels"):
        loss(a[:, :2], b[:, :2])


def test_l2_norm_as_printed():
    a, b = torch.rand(2, 4, 3, 5, 5)
    expected = torch.stack([torch.linalg.norm((x - y).flatten()) for x, y in zip(a, b)]).mean()
    torch.testing.assert_close(MODELS.build(dict(type="L2NormLoss"))(a, b), expected)


def test_a_perfect_network_has_no_loss(outputs):
    move = outputs.transform.apply_output
    perfect = SiameseOutputs(
        outputs.target, move(outputs.target), outputs.target, outputs.transform, weight=outputs.weight
    )
    for name in LOSSES[1:]:
        assert float(MODELS.build(dict(type=name))(perfect)) == 0
    assert float(MODELS.build(dict(type="StabilityLoss"))(perfect)) > 0  # it asks for a frozen output


def test_sparse_jacobian_forgives_a_constant_error(outputs):
    move = outputs.transform.apply_output
    shifted = SiameseOutputs(outputs.target + 0.3, move(outputs.target) + 0.3, outputs.target, outputs.transform)
    assert float(MODELS.build(dict(type="SparseJacobianLoss"))(shifted)) < 1e-20


def test_illumination_and_reflectance():
    pred, target = torch.rand(2, 2, 3, 20, 20)
    weight = torch.rand(2, 1, 20, 20)
    light, light_pred = illumination(target), illumination(pred)
    expected = 0.5 * (light - light_pred) ** 2 + 0.5 * ((target - light) - (pred - light_pred)) ** 2
    loss = MODELS.build(dict(type="IlluminationReflectanceLoss"))
    torch.testing.assert_close(loss(pred, target, weight), (expected * weight).mean())
    with pytest.raises(ValueError, match="illumination_weight"):
        MODELS.build(dict(type="IlluminationReflectanceLoss", illumination_weight=2))
