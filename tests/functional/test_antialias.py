"""Low-pass filters that go with a stride: against scipy, closed forms and an ideal low-pass."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from scipy.signal.windows import triang
from torch import nn

from mmtempreg.functional.antialias import antialias_kernel, low_pass
from mmtempreg.models.anti_aliasing import AntiAliasedMaxPool2d, anti_alias


@pytest.mark.parametrize("taps", [3, 5, 7])
def test_at_stride_2_it_is_binomial(taps):
    expected = torch.tensor([math.comb(taps - 1, k) / 2 ** (taps - 1) for k in range(taps)])
    torch.testing.assert_close(antialias_kernel(2, taps), expected)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_with_three_taps_it_is_a_triangle_and_all_phases_count_alike(stride):
    kernel = antialias_kernel(stride)
    torch.testing.assert_close(kernel.double(), torch.from_numpy(triang(2 * stride - 1)) / stride, atol=1e-7, rtol=0)
    shares = [float(kernel[phase::stride].sum()) for phase in range(stride)]
    np.testing.assert_allclose(shares, 1 / stride, atol=1e-7)


@pytest.mark.parametrize("taps", [2, 4, 1, 0, -3])
def test_even_and_short_filters_are_refused(taps):
    with pytest.raises(ValueError, match=f"taps must be odd and 3 at least .*, got {taps}"):
        antialias_kernel(2, taps)


@pytest.mark.parametrize(("strides", "taps"), [((2, 2), 3), ((2, 1), 5), ((3, 4), 3)])
@pytest.mark.parametrize("size", [(9, 14), (1, 1), (1, 7), (2, 3)])
def test_it_is_scipys_convolution(strides, taps, size):
    x = torch.rand(2, 3, *size)
    kernel = np.outer(*(antialias_kernel(stride, taps).double().numpy() for stride in strides))
    expected = np.stack([[convolve(c, kernel, mode="nearest") for c in image] for image in x.double().numpy()])
    np.testing.assert_allclose(low_pass(x, strides, taps).numpy(), expected, atol=1e-6)
    sampled = expected[:, :, :: strides[0], :: strides[1]]
    np.testing.assert_allclose(low_pass(x, strides, taps, sample=True).numpy(), sampled, atol=1e-6)


@pytest.mark.parametrize("frequency", [0.3, 0.4, 0.5])
def test_what_the_coarser_grid_cannot_hold_is_left_with_the_filters_response(frequency):
    """A sinusoid above the coarser grid's Nyquist frequency, through a 1x1 convolution of stride 2: |H| = cos^2."""
    wave = torch.cos(2 * math.pi * frequency * torch.arange(64) + 0.4).expand(1, 1, 64, 64)
    sampling = nn.Conv2d(1, 1, 1, stride=2, bias=False)
    nn.init.ones_(sampling.weight)
    aliased = float(sampling(wave)[..., 2:-2].abs().max())
    anti_alias(nn.Sequential(sampling))
    left = float(sampling(wave)[..., 2:-2].abs().max())
    assert aliased > 0.9
    assert left <= math.cos(math.pi * frequency) ** 2 + 1e-5


def fourier_shift(x, by):
    """A periodic map, moved by a fraction of a pixel along both axes: exact for what is band-limited."""
    ky, kx = np.meshgrid(np.fft.fftfreq(x.shape[-2]), np.fft.fftfreq(x.shape[-1]), indexing="ij")
    return np.fft.ifft2(np.fft.fft2(x) * np.exp(2j * np.pi * by * (ky + kx))).real


def smooth_picture(size=64, highest=6):
    """Periodic and band-limited far below the coarser grid's Nyquist frequency."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    waves = [
        rng.normal() * np.cos(2 * np.pi * (fy * y + fx * x) + rng.uniform(0, 6.3))
        for fy in range(-highest, highest + 1)
        for fx in range(highest + 1)
    ]
    return torch.from_numpy(np.sum(waves, axis=0) / len(waves) ** 0.5).float()[None, None]


def test_a_shifted_picture_gives_the_shifted_pooled_map():
    """Half a pixel of the coarser grid, brought back by an ideal interpolation: an eighth of plain pooling's change."""
    x = smooth_picture()

    def change(pool, margin=2):
        still, moved = (pool(picture)[0, 0].double().numpy() for picture in (x, x.roll((-1, -1), (-2, -1))))
        difference = fourier_shift(still, 0.5) - moved
        return float(np.square(difference[margin:-margin, margin:-margin]).mean())

    plain, filtered = change(nn.MaxPool2d(2)), change(AntiAliasedMaxPool2d(nn.MaxPool2d(2)))
    assert filtered < plain / 8
    assert filtered < 5e-4 * float(x.square().mean())  # the stated bound


def test_what_is_remembered_of_a_filter_is_of_no_device():
    """A kernel that is first asked for on the meta device, or in a trace, spoils none that come after."""
    with torch.device("meta"):
        assert low_pass(torch.ones(1, 1, 8, 8), (7, 7)).device.type == "meta"
    assert torch.equal(low_pass(torch.ones(1, 1, 8, 8), (7, 7)).round(decimals=5), torch.ones(1, 1, 8, 8))
