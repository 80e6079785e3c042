"""RGB and Lab against scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from mmtempreg.functional import lab_to_rgb, rgb_to_lab


def image(values):
    return torch.tensor(values, dtype=torch.float64).reshape(3, 1, -1)


def test_the_whole_gamut_is_as_in_scikit_image():
    levels = torch.linspace(0, 1, 33, dtype=torch.float64)
    rgb = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij")).reshape(3, 33, -1)
    lab = rgb_to_lab(rgb)
    expected = rgb2lab(rgb.permute(1, 2, 0).numpy())
    np.testing.assert_allclose(lab.permute(1, 2, 0), expected, atol=1e-4)
    np.testing.assert_allclose(rgb_to_lab(rgb.float()).permute(1, 2, 0), expected, atol=2e-3)
    np.testing.assert_allclose(lab_to_rgb(lab), rgb, atol=1e-5)
    np.testing.assert_allclose(lab_to_rgb(lab).permute(1, 2, 0), lab2rgb(expected), atol=1e-4)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [((0, 0, 0), (0, 0, 0)), ((1, 1, 1), (100, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20)),
     ((0, 1, 0), (87.73, -86.18, 83.18)), ((0, 0, 1), (32.30, 79.19, -107.86))],
)  # fmt: skip
def test_corners(rgb, lab):
    np.testing.assert_allclose(rgb_to_lab(image([float(v) for v in rgb])).flatten(), lab, atol=0.02)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_there_and_back(values):
    rgb = image(values)
    np.testing.assert_allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.04045, 1.0])
def test_gradients_are_finite_and_right(value):
    rgb = torch.full((3, 1, 1), value, dtype=torch.float64, requires_grad=True)
    rgb_to_lab(rgb).sum().backward()
    assert torch.isfinite(rgb.grad).all()
    grey = torch.tensor([0.3, 0.5, 0.02], dtype=torch.float64).view(3, 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(rgb_to_lab, grey)
    assert torch.autograd.gradcheck(lab_to_rgb, rgb_to_lab(grey).detach().requires_grad_())
