"""Affine matrices, from output pixel to input pixel, and warps, in pixel coordinates and in double precision.

A matrix maps an *output* pixel (x, y, 1) to the *input* pixel it is read from, as in the authors' code, OpenCV's
`WARP_INVERSE_MAP` and torch's `affine_grid`; kornia's and OpenCV's own go the other way. Coordinates are 0-based pixel
centres of the map that the matrix was made for, whose size is the *base* (H, W); the `size` (h, w) of a map is its own.
A map of the same field of view but another resolution is warped by the same matrix: `warp(..., base=(H, W))`.

Sub-pixel motion of a hundredth of a pixel matters here, so coordinates and interpolation are always float64;
the result is cast back to the input's dtype. An integer shift is then exact to the last bit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PADDING_MODES = ("zeros", "border", "reflection")


def affine_matrix(
    translate: Tensor,
    *,
    rotate: Tensor,
    zoom: Tensor,
    shear: Tensor,
    base: tuple[int, int],
    pixel_center: bool = False,
) -> Tensor:
    """Matrices that map output pixel to input pixel, p_in = c + z S R (p_out - c + t).

    The order (translate, rotate, shear, zoom) and the centre are those of the authors' training code. A zoom
    above 1 shrinks the content, since the matrix is the way back from output to input.

    Args:
        translate: (N, 2) translation t in pixels, (x, y) order.
        rotate: (N,) angle in radians; R = [[cos, -sin], [sin, cos]].
        zoom: (N,) factor z; not 0.
        shear: (N, 2) angles in radians, (x, y) order; S = [[1, tan h_x], [tan h_y, 1]].
        base: (H, W) of the image in pixels.
        pixel_center: Use the true centre ((W-1)/2, (H-1)/2) of the pixel grid instead of the authors'
            (W/2, H/2), which lies half a pixel off. A turn by 90 degrees then permutes the pixels of a square.

    Returns:
        (N, 2, 3) tensor of the dtype of `translate`.

    Raises:
        ValueError: If the shapes do not agree.
    """
    n = translate.shape[0]
    shapes = {"translate": (n, 2), "rotate": (n,), "zoom": (n,), "shear": (n, 2)}
    for name, value in zip(shapes, (translate, rotate, zoom, shear)):
        if tuple(value.shape) != shapes[name]:
            raise ValueError(f"{name} must have shape {shapes[name]} for a batch of {n}, got {tuple(value.shape)}")
    height, width = base
    offset = 1 if pixel_center else 0
    center = translate.new_tensor([(width - offset) / 2, (height - offset) / 2])
    cos, sin = torch.cos(rotate), torch.sin(rotate)
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(n, 2, 2)
    tan = torch.tan(shear)
    one = torch.ones_like(rotate)
    shearing = torch.stack([one, tan[:, 0], tan[:, 1], one], dim=1).view(n, 2, 2)
    linear = zoom.view(n, 1, 1) * shearing @ rotation
    shift = center + (linear @ (translate - center).unsqueeze(-1)).squeeze(-1)
    return torch.cat([linear, shift.unsqueeze(-1)], dim=2)


def pixel_grid(size: tuple[int, int], base: tuple[int, int], device: torch.device | None = None) -> Tensor:
    """Pixel centres of a map of `size`, in the pixel coordinates of a `base`-sized map of the same field of view.

    Args:
        size: (h, w) of the map.
        base: (H, W) whose pixel coordinates are wanted.

    Returns:
        (h, w, 2) float64 tensor of (x, y).
    """
    axes = [
        (torch.arange(n, dtype=torch.float64, device=device) + 0.5) * (n_base / n) - 0.5
        for n, n_base in zip(size, base)
    ]
    y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y], dim=-1)


def transform_points(matrix: Tensor, points: Tensor) -> Tensor:
    """Applies (N, 2, 3) matrices to points, (h, w, 2) or (N, h, w, 2); gives (N, h, w, 2) float64 (x, y)."""
    matrix = matrix.to(torch.float64)
    linear, shift = matrix[:, :, :2], matrix[:, :, 2]
    points = points.expand(len(matrix), *points.shape[-3:])
    return torch.einsum("nij,nhwj->nhwi", linear, points) + shift[:, None, None, :]


def _to_own_pixels(points: Tensor, size: tuple[int, int], base: tuple[int, int]) -> Tensor:
    """Base pixel coordinates to those of a map of `size`."""
    scale = points.new_tensor([size[1] / base[1], size[0] / base[0]])
    return (points + 0.5) * scale - 0.5


def sample_at(x: Tensor, points: Tensor, padding_mode: str = "zeros", *, base: tuple[int, int] | None = None) -> Tensor:
    """Reads `x` at `points` by bilinear interpolation.

    Args:
        x: (N, C, h, w).
        points: (N, h', w', 2), (x, y) in the pixel coordinates of a map of the size `base`.
        padding_mode: What lies outside: 'zeros' (a tap outside counts as 0), 'border', or 'reflection'
            (about the outer edge of the border pixels).
        base: (H, W) the coordinates refer to. Default: the size of `x`.

    Returns:
        (N, C, h', w') of the dtype of `x`, differentiable in `x` and `points`.

    Raises:
        ValueError: For an unknown `padding_mode`.
    """
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {PADDING_MODES}, got {padding_mode!r}")
    size = (x.shape[-2], x.shape[-1])
    if base is not None and tuple(base) != size:
        points = _to_own_pixels(points, size, base)
    extent = points.new_tensor([size[1], size[0]])
    grid = (2 * points + 1) / extent - 1
    with torch.autocast(x.device.type, enabled=False):  # half precision would lose the sub-pixel motion
        out = F.grid_sample(x.to(torch.float64), grid, mode="bilinear", padding_mode=padding_mode, align_corners=False)
    return out.to(x.dtype)


def warp(x: Tensor, matrix: Tensor, padding_mode: str = "zeros", *, base: tuple[int, int] | None = None) -> Tensor:
    """T(x): every output pixel p is read from `x` at `matrix` (p, 1).

    Args:
        x: (N, C, h, w), any range.
        matrix: (N, 2, 3), output pixel to input pixel, as from `affine_matrix`.
        padding_mode: See `sample_at`. The authors' code fills with zeros.
        base: (H, W) that the matrix was made for, if it differs from (h, w): a super-resolution output that is
            s times larger moves s times as many pixels. Default: (h, w).

    Returns:
        (N, C, h, w), the dtype of `x`.

    Example:
        >>> x = torch.arange(3.0).view(1, 1, 1, 3)
        >>> shift = torch.tensor([[[1.0, 0, 1], [0, 1, 0]]])
        >>> warp(x, shift)
        tensor([[[[1., 2., 0.]]]])
    """
    size = (x.shape[-2], x.shape[-1])
    base = size if base is None else base
    points = transform_points(matrix.to(x.device), pixel_grid(size, base, x.device))
    return sample_at(x, points, padding_mode, base=base)


def inside(points: Tensor, size: tuple[int, int], base: tuple[int, int] | None = None) -> Tensor:
    """Mask of the points for which all that bilinear interpolation reads lies inside a map.

    Args:
        points: (N, h', w', 2), (x, y) in the pixel coordinates of a map of the size `base`.
        size: (h, w) of the map that is read.
        base: (H, W) the coordinates refer to. Default: `size`.

    Returns:
        (N, 1, h', w') float32: 1 inside, 0 outside.
    """
    if base is not None and tuple(base) != tuple(size):
        points = _to_own_pixels(points, size, base)
    tolerance = 1e-9  # rounding of the coordinates, not a part of a pixel that anyone could see
    last = points.new_tensor([size[1] - 1, size[0] - 1])
    ok = (points >= -tolerance) & (points <= last + tolerance)
    return ok.all(dim=-1).unsqueeze(1).to(torch.float32)
