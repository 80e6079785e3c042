import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from mmtempreg.functional import affine_matrix, inside, pixel_grid, transform_points, warp

angles = st.floats(-0.3, 0.3)
shifts = st.floats(-5, 5)
sizes = st.tuples(st.integers(4, 40), st.integers(4, 40))


def authors_matrix(translate, rotate, zoom, shear, size):
    """M = Tr(c) Z(z) S R Tr(t) Tr(-c), the product of elementary matrices, in float64."""
    cx, cy = size[1] / 2, size[0] / 2

    def move(x, y):
        return torch.tensor([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=torch.float64)

    z = torch.diag(torch.tensor([zoom, zoom, 1], dtype=torch.float64))
    s = torch.eye(3, dtype=torch.float64)
    s[0, 1], s[1, 0] = math.tan(shear[0]), math.tan(shear[1])
    r = torch.eye(3, dtype=torch.float64)
    r[0, 0] = r[1, 1] = math.cos(rotate)
    r[0, 1], r[1, 0] = -math.sin(rotate), math.sin(rotate)
    return (move(cx, cy) @ z @ s @ r @ move(*translate) @ move(-cx, -cy))[:2]


def build(translate, rotate, zoom, shear, size, **kwargs):
    tensor = lambda *v: torch.tensor(v, dtype=torch.float64)  # noqa: E731
    return affine_matrix(
        tensor(translate), rotate=tensor(rotate), zoom=tensor(zoom), shear=tensor(shear), base=size, **kwargs
    )


@given(st.tuples(shifts, shifts), angles, st.floats(0.7, 1.4), st.tuples(angles, angles), sizes)
def test_affine_matrix_is_the_authors_product(translate, rotate, zoom, shear, size):
    expected = authors_matrix(translate, rotate, zoom, shear, size)
    torch.testing.assert_close(build(translate, rotate, zoom, shear, size)[0], expected, rtol=1e-12, atol=1e-12)


@given(angles, st.floats(0.7, 1.4), st.tuples(angles, angles), sizes)
def test_pixel_center_stays_where_it_is(rotate, zoom, shear, size):
    matrix = build((0, 0), rotate, zoom, shear, size, pixel_center=True)
    center = torch.tensor([[[(size[1] - 1) / 2, (size[0] - 1) / 2]]], dtype=torch.float64)
    torch.testing.assert_close(transform_points(matrix, center)[0], center, rtol=0, atol=1e-10)


def test_affine_matrix_names_the_wrong_shape():
    with pytest.raises(ValueError, match=r"shear must have shape \(2, 2\)"):
        affine_matrix(torch.zeros(2, 2), rotate=torch.zeros(2), zoom=torch.ones(2), shear=torch.zeros(2), base=(8, 8))


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_integer_shifts_are_exact_to_the_bit(padding_mode, dtype):
    x = torch.rand(1, 2, 37, 53).to(dtype)
    matrix = build((3, -2), 0, 1, (0, 0), (37, 53)).float()
    out = warp(x, matrix, padding_mode)
    assert out.dtype == dtype
    assert torch.equal(out[..., 2:, :-3], x[..., :-2, 3:])
    outside = {"zeros": torch.zeros_like(x[..., -1:]), "border": x[..., -1:], "reflection": x[..., -1:]}[padding_mode]
    assert torch.equal(out[..., 2:, -3:-2], outside[..., :-2, :])


@settings(max_examples=25)
@given(st.tuples(shifts, shifts), angles, st.floats(0.8, 1.2), st.tuples(angles, angles))
def test_warp_equals_scipy_on_non_square_images(translate, rotate, zoom, shear):
    size = (19, 31)
    matrix = build(translate, rotate, zoom, shear, size)
    x = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    points = transform_points(matrix, pixel_grid(size, size))[0]
    expected = map_coordinates(x[0, 0].numpy(), points.flip(-1).permute(2, 0, 1).numpy(), order=1, mode="grid-constant")
    torch.testing.assert_close(warp(x, matrix)[0, 0], torch.from_numpy(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_larger_map_moves_by_as_many_more_pixels(scale):
    size = (12, 20)
    large = torch.rand(1, 3, 12 * scale, 20 * scale)
    out = warp(large, build((2, 1), 0, 1, (0, 0), size), base=size)
    assert torch.equal(out[..., : -1 * scale, : -2 * scale], large[..., scale:, 2 * scale :])


def test_larger_map_and_affine_commute_with_pooling():
    # An image that is linear in x and y: interpolation is exact, so pooling and warping may change places.
    size, scale = (16, 24), 2
    y, x = torch.meshgrid(*(torch.arange(n * scale, dtype=torch.float64) for n in size), indexing="ij")
    large = (0.3 * x - 0.2 * y).view(1, 1, 32, 48)
    matrix = build((0.7, -0.4), 0.02, 1.01, (0.01, -0.02), size)
    pool = torch.nn.functional.avg_pool2d
    a, b = pool(warp(large, matrix, base=size), scale), warp(pool(large, scale), matrix)
    torch.testing.assert_close(a[..., 4:-4, 4:-4], b[..., 4:-4, 4:-4], rtol=0, atol=1e-9)


def test_warp_is_differentiable():
    matrix = build((0.3, -0.6), 0.05, 1.02, (0.02, 0.01), (5, 6)).requires_grad_()
    x = torch.rand(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda image: warp(image, matrix.detach()), (x,))
    assert torch.autograd.gradcheck(lambda m: warp(x.detach(), m), (matrix,))


def test_warp_keeps_float64_coordinates_under_autocast():
    x = torch.rand(1, 1, 8, 8)
    matrix = build((0.3, 0), 0, 1, (0, 0), (8, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside_autocast = warp(x, matrix)
    assert torch.equal(inside_autocast, warp(x, matrix))


def test_inside_is_where_no_padding_is_seen():
    size = (21, 33)
    matrix = build((3.3, -2.2), 0.05, 1.05, (0.02, 0.03), size)
    points = transform_points(matrix, pixel_grid(size, size))
    ok = inside(points, size)
    ones = warp(torch.ones(1, 1, *size, dtype=torch.float64), matrix)
    assert torch.equal(ok.bool(), (ones - 1).abs() < 1e-8)
    assert 0 < ok.mean() < 1


def test_unknown_padding_mode():
    with pytest.raises(ValueError, match="padding_mode must be one of"):
        warp(torch.rand(1, 1, 4, 4), build((0, 0), 0, 1, (0, 0), (4, 4)), padding_mode="wrap")
