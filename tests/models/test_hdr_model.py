import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample

from mmtempreg.functional import camera_curve
from mmtempreg.models.hdr import HDRCNN, num_variables


def test_variables_as_the_paper_counts_them():
    assert num_variables(HDRCNN()) == 1_289_653
    assert num_variables(HDRCNN(**HDRCNN.full_size())) == 29_447_332


@pytest.mark.parametrize("size", [(64, 64), (50, 77), (33, 32)])
def test_any_size_goes_through(size):
    net = HDRCNN(encoder_channels=((8,), (8,), (8,)), bottleneck_channels=(8,)).eval()
    assert net(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_an_untrained_network_starts_near_its_input():
    net = HDRCNN()
    net.init_weights()
    x = torch.rand(2, 3, 64, 64)
    error = net.eval()(x) - torch.log(x**2 + 1 / 255)
    assert float(error.abs().mean()) < 0.3


@pytest.mark.parametrize("arguments", [dict(encoder_channels=()), dict(deconv_kernel=5)])
def test_impossible_networks(arguments):
    with pytest.raises(ValueError, match="must be|needs"):
        HDRCNN(**arguments)


@pytest.fixture
def model():
    return MODELS.build(
        dict(
            type="HDRReconstructionModel",
            generator=dict(type="HDRCNN", encoder_channels=((8,), (8,)), bottleneck_channels=(8,)),
        )
    ).eval()


def packed(radiance):
    image = (camera_curve(radiance.clamp(0, 1), 0.9, 0.6) * 255).round().byte()
    sample = DataSample(gt_img=radiance)
    sample.set_metainfo(dict(img_channel_order="rgb", gt_channel_order="rgb"))
    return dict(inputs=[image], data_samples=[sample])


def test_pixels_that_are_not_saturated_are_the_linearised_input(model):
    radiance = torch.rand(3, 20, 24) * 0.8
    (sample,) = model.test_step(packed(radiance))
    prediction = sample.output.pred_img.flip(0)  # results are BGR
    torch.testing.assert_close(prediction, radiance, atol=0.01, rtol=0)
    torch.testing.assert_close(sample.gt_img.flip(0), radiance)  # linear radiance is never normalised


def test_saturated_pixels_come_from_the_network(model):
    radiance = torch.full((3, 16, 16), 4.0)
    (sample,) = model.test_step(packed(radiance))
    with torch.no_grad():
        expected = (model.generator(torch.ones(1, 3, 16, 16))[0].exp() - 1 / 255).clamp(min=0)
    torch.testing.assert_close(sample.output.pred_img.flip(0), expected)


def test_losses_live_in_the_log_domain_inside_the_mask(model):
    radiance = 3 * torch.rand(3, 16, 16)
    data = model.data_preprocessor(packed(radiance), True)
    loss = model(**data, mode="loss")["loss"]
    x, y = data["inputs"], radiance.unsqueeze(0)
    mask = ((y.amax(1, keepdim=True) - 0.95) / 0.05).clamp(0, 1)
    expected = (((model.generator(x) - (y + 1 / 255).log()) * mask) ** 2).mean()
    torch.testing.assert_close(loss, expected)


def test_moved_target_moves_light_and_not_its_logarithm(model):
    from mmtempreg.transforms import RandomAffine, draw_generator

    y = 3 * torch.rand(1, 3, 16, 16)
    transform = RandomAffine().sample(y, draw_generator(0, 0))
    moved = model.moved_target((y + 1 / 255).log(), transform)
    torch.testing.assert_close(moved, (transform.apply_output(y) + 1 / 255).log(), atol=1e-5, rtol=1e-5)


def test_the_authors_loss_is_an_option(model):
    model.pixel_loss = MODELS.build(dict(type="IlluminationReflectanceLoss"))
    data = model.data_preprocessor(packed(3 * torch.rand(3, 16, 16)), True)
    assert torch.isfinite(model(**data, mode="loss")["loss"])


@pytest.mark.parametrize("arguments", [{}, HDRCNN.full_size()])
def test_up_sampling_starts_without_a_checkerboard(arguments):
    network = HDRCNN(**arguments)
    network.init_weights()
    for up in network.decoder:
        flat = torch.randn(1, up.deconv.in_channels, 1, 1).expand(-1, -1, 6, 6)
        inner = up.deconv(flat)[..., 2:-2, 2:-2]
        spread = inner.flatten(2).std(dim=2)
        assert float(spread.max()) < 1e-5 * float(inner.std())
        ramp = torch.arange(6.0).expand(1, up.deconv.in_channels, 6, 6)  # and goes up evenly
        steps = up.deconv(ramp)[..., 2:-2, 3:-2].diff(dim=-1)
        assert float(steps.flatten(2).std(dim=2).max()) < 1e-5 * float(steps.std())
