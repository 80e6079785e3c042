"""The Gaussian against scipy's."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mmtempreg.functional.gaussian import gaussian_window, smooth


@pytest.mark.parametrize(("sigma", "radius"), [(0.7, 3), (1.5, 5), (4.2, 6)])
def test_the_window_is_scipys(sigma, radius):
    impulse = np.zeros(41)
    impulse[20] = 1
    expected = gaussian_filter1d(impulse, sigma, radius=radius)
    np.testing.assert_allclose(gaussian_window(sigma, radius), expected[20 - radius : 21 + radius], rtol=1e-12)
    assert gaussian_window(sigma, radius, torch.zeros(1)).dtype == torch.float32


@pytest.mark.parametrize(("sigma", "radius"), [(0.7, None), (1.0, None), (1.5, 5)])
def test_pictures_are_smoothed_as_by_scipy(sigma, radius):
    image = torch.rand(3, 30, 41)
    reach = int(np.ceil(4 * sigma)) if radius is None else radius
    expected = [gaussian_filter(plane.double().numpy(), sigma, mode="mirror", radius=reach) for plane in image]
    np.testing.assert_allclose(smooth(image, sigma, radius), expected, atol=1e-6)
    assert smooth(image, 0) is image
