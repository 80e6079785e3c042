"""Figure 3's curves against the peaks that Laird's constants give, and closed forms."""

import pytest
import torch

from mmtempreg.functional.contrast_sensitivity import contrast_sensitivity, highpass_response

OMEGA = torch.linspace(0, 30, 30001, dtype=torch.float64)


@pytest.mark.parametrize(
    ("spatial", "height", "at"), [(0.5, 68.5, 8.0), (1, 91.8, 5.7), (2, 115.7, 5.2), (4, 114.9, 1.6), (8, 60.3, 1.5)]
)
def test_peaks(spatial, height, at):
    curve = contrast_sensitivity(torch.tensor(float(spatial), dtype=torch.float64), OMEGA)
    assert float(curve.max()) == pytest.approx(height, abs=0.06)
    assert float(OMEGA[curve.argmax()]) == pytest.approx(at, abs=0.06)


def test_highpass():
    f = torch.tensor([0.0, 0.5, 1.0, 2.0, 3.0, 1.249], dtype=torch.float64)
    expected = [0, 0.105, 0.359, 0.831, 0.982, 0.5]
    assert highpass_response(f).tolist() == pytest.approx(expected, abs=6e-4)
