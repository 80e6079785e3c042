"""Pure functions on tensors. They need torch and OpenCV only, and none of MMagic's slow import."""

from .camera import (
    camera_curve,
    exp_radiance,
    illumination,
    inverse_camera_curve,
    log_radiance,
    luminance,
    saturation_mask,
)
from .color import lab_to_rgb, rgb_to_lab
from .display import RADIANCE_STOPS, from_display, gamma_encode, to_display, to_pixels, white_of
from .geometry import affine_matrix, inside, pixel_grid, sample_at, transform_points, warp
from .motion import (
    Motion,
    bring,
    compose,
    estimate_flow,
    estimate_motion,
    lag_frames,
    reliable,
    warp_by_flow,
)
from .temporal import TemporalHighpass, gaussian_kernel, highpass_energy, temporal_highpass

__all__ = [
    "RADIANCE_STOPS",
    "Motion",
    "TemporalHighpass",
    "affine_matrix",
    "bring",
    "camera_curve",
    "compose",
    "estimate_flow",
    "estimate_motion",
    "exp_radiance",
    "from_display",
    "gamma_encode",
    "gaussian_kernel",
    "highpass_energy",
    "illumination",
    "inside",
    "inverse_camera_curve",
    "lab_to_rgb",
    "lag_frames",
    "log_radiance",
    "luminance",
    "pixel_grid",
    "reliable",
    "rgb_to_lab",
    "sample_at",
    "saturation_mask",
    "temporal_highpass",
    "to_display",
    "to_pixels",
    "transform_points",
    "warp",
    "warp_by_flow",
    "white_of",
]
