"""Pure functions on tensors. They need torch only, and none of MMagic's slow import."""

from .camera import (
    RADIANCE_STOPS,
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
from .color import lab_to_rgb, rgb_to_lab
from .geometry import affine_matrix, inside, pixel_grid, sample_at, transform_points, warp
from .temporal import (
    TemporalEnergies,
    TemporalEnergyMeter,
    TemporalHighpass,
    gaussian_kernel,
    highpass_energy,
    smoothness,
    temporal_energies,
    temporal_highpass,
    temporal_residual,
)

__all__ = [
    "RADIANCE_STOPS",
    "TemporalEnergies",
    "TemporalEnergyMeter",
    "TemporalHighpass",
    "affine_matrix",
    "camera_curve",
    "exp_radiance",
    "from_display",
    "gaussian_kernel",
    "highpass_energy",
    "illumination",
    "inside",
    "inverse_camera_curve",
    "lab_to_rgb",
    "log_radiance",
    "luminance",
    "pixel_grid",
    "rgb_to_lab",
    "sample_at",
    "saturation_mask",
    "smoothness",
    "temporal_energies",
    "temporal_highpass",
    "temporal_residual",
    "to_display",
    "transform_points",
    "warp",
]
