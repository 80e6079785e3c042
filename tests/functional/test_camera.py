import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mmtempreg.functional import (
    camera_curve,
    exp_radiance,
    from_display,
    illumination,
    inverse_camera_curve,
    log_radiance,
    luminance,
    saturation_mask,
    to_display,
)
from mmtempreg.functional.camera import pixel_luminance


def test_luminance_of_pixels_is_that_of_their_values_to_the_bit():
    """Else a pixel of 8 bits could be rounded to another grey, and the flow of the picture be another one."""
    levels = torch.arange(256, dtype=torch.uint8)
    red, green = torch.meshgrid(levels, levels, indexing="ij")
    pixels = torch.stack([red, green, (red.int() * 7 + green * 3).byte()])
    assert torch.equal(pixel_luminance(pixels), luminance(pixels.float() / 255))


@given(st.floats(0.2, 2.5), st.floats(0.05, 5))
def test_the_inverse_undoes_the_curve(n, s):
    radiance = torch.linspace(0, 1, 101, dtype=torch.float64)
    display = camera_curve(radiance, n, s)
    assert float(display[0]) == 0
    assert float(display[-1]) == pytest.approx(1)
    assert bool((display.diff() > 0).all())
    torch.testing.assert_close(inverse_camera_curve(display, n, s), radiance, rtol=0, atol=1e-9)


def test_the_curve_by_hand():
    # (1 + 0.6) 0.5^0.9 / (0.5^0.9 + 0.6)
    assert float(camera_curve(torch.tensor(0.5), 0.9, 0.6)) == pytest.approx(1.6 * 0.535887 / 1.135887, rel=1e-5)


@pytest.mark.parametrize(("n", "s"), [(0, 0.6), (0.9, 0), (-1, 1)])
def test_impossible_curves(n, s):
    with pytest.raises(ValueError, match="n > 0 and s > 0"):
        camera_curve(torch.rand(3), n, s)


@given(st.floats(-4, 4))
def test_display_values_lead_back_to_radiance(stops):
    radiance = torch.linspace(0, 2.0**-stops, 50, dtype=torch.float64)  # what is shown without clipping
    display = to_display(radiance, stops)
    assert float(display[-1]) == pytest.approx(1)
    torch.testing.assert_close(from_display(display, stops), radiance)
    assert float(to_display(radiance[-1:] * 1.5, stops)) == 1


def test_saturation_mask_rises_over_the_last_twentieth():
    image = torch.tensor([0.5, 0.95, 0.975, 1.0, 7.0]).view(1, 1, 1, 5).repeat(1, 3, 1, 1)
    image[:, 1:] = 0.1  # the brightest channel decides
    torch.testing.assert_close(saturation_mask(image).flatten(), torch.tensor([0, 0, 0.5, 1, 1]))
    with pytest.raises(ValueError, match="threshold"):
        saturation_mask(image, 1.0)


def test_log_radiance_and_back():
    radiance = torch.logspace(-4, 3, 50, dtype=torch.float64)
    torch.testing.assert_close(exp_radiance(log_radiance(radiance)), radiance)
    assert float(exp_radiance(torch.tensor(-100.0))) == 0


def test_illumination_is_the_blurred_log_luminance():
    radiance = torch.rand(1, 3, 40, 40, dtype=torch.float64)
    expected = np.log(luminance(radiance)[0, 0].numpy() + 1 / 255)
    # the kernel ends after 6 pixels: truncate = 6 / sigma
    expected = gaussian_filter(expected, 3 * 2**0.5, mode="nearest", radius=6)
    np.testing.assert_allclose(illumination(radiance.log())[0, 0].numpy(), expected, atol=1e-12)
