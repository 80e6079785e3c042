import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mmagic.registry import MODELS

from mmtempreg.functional import bring, pixel_grid
from mmtempreg.functional.motion import seen
from mmtempreg.transforms import (
    MOTIONS,
    Compose,
    ImageRange,
    PathStep,
    RandomAffine,
    RandomChoice,
    RandomElastic,
    RandomExposure,
    RandomGaussianNoise,
    RandomShift,
    draw_generator,
    motion_between,
)

PAIRS = [
    dict(type="RandomAffine"),
    dict(type="RandomGaussianNoise"),
    dict(type="RandomElastic"),
    dict(type="RandomExposure"),
    dict(type="RandomShift", max_shift=5),
    dict(
        type="Compose",
        transforms=[
            dict(type="RandomAffine", scale=1.5),
            dict(type="RandomElastic", displacement=4),
            dict(type="RandomGaussianNoise", sigma=(0, 0.02)),
        ],
    ),
]


@pytest.mark.parametrize("config", PAIRS, ids=lambda c: c["type"])
def test_draws_are_a_function_of_seed_iteration_and_rank(config):
    pair, x = MODELS.build(config), torch.rand(3, 3, 20, 30)

    def draw(*key):
        torch.rand(7)  # hidden state changes nothing
        return pair.sample(x, draw_generator(*key)).apply_input(x)

    assert torch.equal(draw(1, 2, 3), draw(1, 2, 3))
    for key in ((0, 2, 3), (1, 0, 3), (1, 2, 0)):
        assert not torch.equal(draw(*key), draw(1, 2, 3))


@pytest.mark.parametrize("config", PAIRS, ids=lambda c: c["type"])
def test_geometry_is_the_same_for_every_map(config):
    x = torch.rand(2, 3, 24, 32)
    drawn = MODELS.build(config).sample(x, draw_generator(0, 0))
    moved = drawn.apply_output(x)
    assert torch.equal(moved, drawn.apply_output(x))
    torch.testing.assert_close(moved[:, :1], drawn.apply_output(x[:, :1]))
    ramp = torch.arange(64.0).view(1, 1, 1, 64).expand(2, 1, 48, 64)
    low = torch.nn.functional.avg_pool2d(drawn.apply_output(ramp), 2)
    expected = drawn.apply_output(torch.nn.functional.avg_pool2d(ramp, 2))
    inner = (..., slice(6, -6), slice(6, -6))
    # A map of twice the size moves twice as many pixels; between them fields of motion are interpolated.
    torch.testing.assert_close(low[inner], expected[inner], atol=0.1, rtol=0)


def test_table_1_ranges():
    x = torch.rand(4000, 1, 8, 8)
    drawn = RandomAffine(pixel_center=True).sample(x, draw_generator(0, 0))
    linear = drawn.matrix[:, :, :2]
    zoom = torch.linalg.det(linear).sqrt()
    assert 0.969 < float(zoom.min()) < 0.972 < 1.028 < float(zoom.max()) < 1.031
    off = (linear - torch.eye(2)).abs().amax(dim=(1, 2))
    assert float(off.max()) < 0.03 + 2 * math.radians(1) * 1.04
    center = torch.full((1, 1, 2), 3.5, dtype=torch.float64)
    moved = (drawn.map_points(center) - center).abs().flatten(1)
    assert 1.9 < float(moved.max()) < 2.2
    doubled = RandomAffine(scale=2, pixel_center=True).sample(x, draw_generator(0, 0))
    assert float((doubled.map_points(center) - center).abs().max()) > 3.8


def test_noise_has_the_sigma_that_was_drawn_and_stays_in_range():
    x = torch.full((400, 3, 16, 16), 0.5)
    drawn = RandomGaussianNoise().sample(x, draw_generator(3, 1))
    sigma = (drawn.apply_input(x) - x).flatten(1).std(dim=1)
    assert 0.009 < float(sigma.min()) < 0.012
    assert 0.037 < float(sigma.max()) < 0.042
    assert torch.equal(drawn.apply_output(x), x)
    assert float(drawn.apply_input(torch.ones_like(x)).max()) == 1

    normalised = ImageRange(torch.full((3, 1, 1), -1.0), torch.full((3, 1, 1), 1.0))
    drawn = RandomGaussianNoise((0.02, 0.02)).sample(x, draw_generator(3, 1), normalised)
    zero = torch.zeros_like(x)
    assert float((drawn.apply_input(zero) - zero).std()) == pytest.approx(0.04, rel=0.02)
    assert float(drawn.apply_input(-torch.ones_like(x)).min()) == -1


def test_compose_moves_once_and_adds_noise_last():
    x = torch.rand(2, 3, 32, 32)
    parts = [RandomAffine(), RandomElastic(), RandomGaussianNoise()]
    drawn = Compose(parts).sample(x, draw_generator(0, 5))
    generator = draw_generator(0, 5)
    affine, field, noise = (part.sample(x, generator) for part in parts)
    points = affine.map_points(field.map_points(pixel_grid((32, 32), (32, 32))))
    torch.testing.assert_close(drawn.map_points(pixel_grid((32, 32), (32, 32))), points)
    assert torch.equal(drawn.apply_input(x), noise.perturb(drawn.apply_output(x)))
    assert torch.equal(drawn.valid(x), drawn.valid(x[:, :1]))


def test_choice_gives_each_image_one_of_its_transforms():
    x = torch.rand(600, 3, 8, 8)
    parts = [RandomAffine(translate=1), RandomAffine(translate=30), RandomGaussianNoise()]
    drawn = RandomChoice(parts, weights=[3, 2, 1]).sample(x, draw_generator(0, 5))
    assert [float((drawn.chosen == i).sum()) for i in range(3)] == pytest.approx([300, 200, 100], abs=40)
    points = pixel_grid((8, 8), (8, 8))
    moved = drawn.map_points(points)
    for i, part in enumerate(drawn.transforms):
        mine = drawn.chosen == i
        assert torch.equal(moved[mine], part.map_points(points).expand(600, 8, 8, 2)[mine])
        assert torch.equal(
            drawn.apply_input(x)[mine], part.apply_input(x)[mine] if i == 2 else drawn.apply_output(x)[mine]
        )
    far = (moved - points).abs().amax(dim=(1, 2, 3))
    assert float(far[drawn.chosen == 0].max()) < 1.5 < 10 < float(far[drawn.chosen == 1].max())
    assert torch.equal(drawn.apply_output(x)[drawn.chosen == 2], x[drawn.chosen == 2])


def test_local_motion_moves_by_what_was_drawn():
    drawn = RandomElastic(displacement=2, control_points=3).sample(torch.rand(1, 1, 33, 33), draw_generator(0, 0))
    corner = torch.tensor([[[0.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(drawn.map_points(corner)[0, 0, 0], drawn.displacement[0, :, 0, 0])


def test_exposure_is_a_gain_within_the_stops_and_moves_nothing():
    x = torch.full((400, 1, 4, 4), 0.25)
    drawn = RandomExposure(stops=0.5).sample(x, draw_generator(2, 2))
    stops = torch.log2(drawn.apply_input(x)[:, 0, 0, 0] / 0.25)
    assert -0.5 <= float(stops.min()) < -0.45
    assert 0.45 < float(stops.max()) <= 0.5
    assert torch.equal(drawn.apply_output(x), x)
    assert float(drawn.apply_input(torch.full_like(x, 0.9)).max()) == 1  # clipped at white
    black = ImageRange(-1.0, 1.0)  # what is black stays black, whatever its value
    drawn = RandomExposure(stops=0.5).sample(x, draw_generator(2, 2), black)
    assert torch.equal(drawn.apply_input(torch.full_like(x, -1)), torch.full_like(x, -1))


def test_steps_of_a_path_move_as_far_as_they_say():
    x = torch.rand(2, 3, 24, 24)
    drawn = RandomAffine().sample(x, draw_generator(0, 1))
    noise = RandomGaussianNoise().sample(x, draw_generator(0, 2))
    points = pixel_grid((24, 24), (24, 24))
    for distance in (0, 1, 3):
        step = PathStep([(drawn, distance)], noise)
        expected = points + distance * (drawn.map_points(points) - points)
        torch.testing.assert_close(step.map_points(points), expected)
    assert torch.equal(PathStep([(drawn, 1)], noise).apply_output(x), drawn.apply_output(x))
    assert torch.equal(PathStep([(drawn, 0)], noise).apply_input(x), noise.perturb(x))


def test_wandering_is_smooth_and_differs_from_image_to_image():
    x = torch.rand(3, 1, 32, 32)
    drawn = MOTIONS["wander"](RandomAffine(), 23, x, generator=draw_generator(1, 0), image_range=ImageRange())
    points = pixel_grid((32, 32), (32, 32)).expand(3, 32, 32, 2)
    way = torch.stack([points, *(frame.map_points(points) for frame in drawn)])
    speed, acceleration = way.diff(dim=0), way.diff(n=2, dim=0)
    assert 0.1 < float(speed.norm(dim=-1).max()) < 3  # pixels a frame
    assert float(acceleration.norm(dim=-1).max()) < 0.3 * float(speed.norm(dim=-1).max())
    assert float((way[-1, 0] - way[-1, 1]).abs().max()) > 0.1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomAffine(translate=-1), "translate must be a number in \\[0, 10000\\], got -1"),
        (lambda: RandomAffine(zoom=0.5, scale=2), "zoom"),
        (lambda: RandomAffine(rotate=90), "rotate must be a number in \\[0, 90\\)"),
        (lambda: RandomAffine(padding_mode="wrap"), "padding_mode"),
        (lambda: RandomGaussianNoise((0.04, 0.01)), "sigma must be"),
        (lambda: RandomExposure(-0.1), "stops"),
        (lambda: RandomElastic(control_points=1), "control_points"),
        (lambda: Compose([]), "at least one"),
        (lambda: Compose([RandomAffine(), RandomElastic(padding_mode="zeros")]), "agree"),
        (lambda: RandomChoice([]), "give transforms"),
        (lambda: RandomChoice([RandomAffine()], [1, 2]), "a weight for each"),
        (lambda: RandomChoice([RandomAffine(), RandomElastic(padding_mode="zeros")]), "agree"),
        (lambda: draw_generator(-1, 0), "negative"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ---------------------------------------------------------------- motion between drawn T


def test_motion_between_affine_t_is_the_product_of_matrices():
    x = torch.zeros(3, 1, 40, 50)
    now, then = (RandomAffine(scale=3).sample(x, draw_generator(0, i)) for i in range(2))
    eye = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    points = torch.cat([pixel_grid((40, 50), (40, 50)), torch.ones(40, 50, 1)], dim=-1).double()
    for image, motion in enumerate(motion_between(now, then, (40, 50))):
        a, b = (torch.cat([one.matrix[image], eye[None]]) for one in (now, then))
        expected = (points @ (torch.linalg.inv(b) @ a).T - points)[..., :2].permute(2, 0, 1)
        torch.testing.assert_close(motion.flow, expected.float(), atol=1e-4, rtol=0)
        assert 0.7 < float(motion.visible.mean()) < 1


def test_a_moved_picture_follows_the_motion_between_its_t():
    """With local motion too, which has no inverse by formula."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    image = (torch.sin(x / 5) * torch.cos(y / 6))[None, None]
    pair = Compose([RandomAffine(), RandomElastic(displacement=3)])
    drawn = [pair.sample(image, draw_generator(1, i)) for i in range(2)]
    for now, then in ((drawn[0], drawn[1]), (drawn[0], None), (None, drawn[1])):
        (motion,) = motion_between(now, then, (64, 64))
        frames = [image if one is None else one.apply_output(image) for one in (now, then)]
        weight = seen(motion)
        assert float(weight.mean()) > 0.4
        error = (bring(frames[1][0], motion) - frames[0][0]).abs() * weight
        assert float(error.max()) < 0.03
        assert float(((frames[1] - frames[0])[0].abs() * weight).max()) > 0.2


def test_where_a_field_folds_nothing_is_known():
    x = torch.zeros(1, 1, 32, 32)
    drawn = RandomElastic(displacement=30).sample(x, draw_generator(0, 0))
    (motion,) = motion_between(None, drawn, (32, 32))
    assert bool(motion.flow.isfinite().all())
    assert float(motion.visible.mean()) < 0.5


# ---------------------------------------------------------------- whole pixels


@given(
    st.integers(1, 40), st.integers(1, 4), st.integers(20, 50), st.integers(20, 50), st.sampled_from([1, 2, 4]),
    st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whole_shifts_move_values_and_mix_none(max_shift, multiple, height, width, scale, seed):
    """numpy's padding, mirrored about the outer edges, is the oracle; predictions may have another resolution."""
    assume(multiple <= max_shift < min(height, width))
    x = torch.rand(2, 3, height, width)
    drawn = RandomShift(max_shift, multiple).sample(x, draw_generator(seed, 0))
    f = torch.rand(2, 1, scale * height, scale * width)
    moved, valid = drawn.apply_output(f), drawn.valid(f)
    for image, out, seen_, (right, down) in zip(f.numpy(), moved.numpy(), valid.numpy(), drawn.offset.long().tolist()):
        assert right % multiple == down % multiple == 0
        assert max(abs(right), abs(down)) <= max_shift
        reach = scale * max_shift
        padded = np.pad(image[0], reach, mode="symmetric")
        top, left = reach + scale * down, reach + scale * right
        np.testing.assert_array_equal(out[0], padded[top : top + scale * height, left : left + scale * width])
        inside = np.pad(np.ones_like(image[0]), reach)[top : top + scale * height, left : left + scale * width]
        np.testing.assert_array_equal(seen_[0], inside)


def test_composed_with_noise_the_shift_is_exact_and_the_noise_its_own():
    x = torch.rand(4, 3, 32, 32)
    noisy = dict(type="RandomGaussianNoise", sigma=(0.02, 0.02))
    pair = MODELS.build(dict(type="Compose", transforms=[dict(type="RandomShift", max_shift=6), noisy]))
    drawn = pair.sample(x, draw_generator(0, 0))
    moved = drawn.apply_output(x)
    assert set(moved[0].flatten().tolist()) <= set(x[0].flatten().tolist())  # nothing interpolated
    with pytest.raises(ValueError, match="give RandomShift multiple=2"):  # and no interpolation on a coarser grid
        pair.sample(x, draw_generator(1, 0)).apply_output(torch.rand(4, 2, 16, 16))
    wide = dict(type="Compose", transforms=[dict(type="RandomShift", max_shift=6, margin=5), noisy])
    assert float(MODELS.build(wide).sample(x, draw_generator(0, 0)).valid(x).sum()) < float(drawn.valid(x).sum())
    noise = (drawn.apply_input(x) - moved)[(moved > 0.1) & (moved < 0.9)]
    assert 0.018 < float(noise.std()) < 0.022


def test_a_shift_that_is_whole_on_one_grid_alone_is_refused():
    drawn = RandomShift(5).sample(torch.rand(8, 3, 32, 32), draw_generator(0, 0))
    with pytest.raises(ValueError, match=r"is none of whole pixels of a map of 16x16: give RandomShift multiple=2"):
        drawn.apply_output(torch.rand(8, 2, 16, 16))
    even = RandomShift(5, multiple=2).sample(torch.rand(8, 3, 32, 32), draw_generator(0, 0))
    even.apply_output(torch.rand(8, 2, 16, 16))
    odd = RandomShift(4, multiple=2).sample(torch.rand(8, 3, 33, 33), draw_generator(0, 0))
    with pytest.raises(ValueError, match="whatever its multiple: take crops whose size the network's strides divide"):
        odd.apply_output(torch.rand(8, 2, 17, 17))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(max_shift=1, multiple=2), "no shift of up to 1 pixels is a multiple of 2"),
        (dict(max_shift=0), "max_shift"),
    ],
)
def test_shifts_that_cannot_be(options, says):
    with pytest.raises(ValueError, match=says):
        RandomShift(**options)


def test_shifts_that_leave_nothing_that_counts():
    with pytest.raises(
        ValueError, match="shifts of up to 16 pixels and a margin of 8 can leave nothing of images of 32x32"
    ):
        RandomShift(16, margin=8).sample(torch.rand(1, 3, 32, 32))


def test_the_margin_does_not_count():
    drawn = RandomShift(4, margin=3).sample(torch.rand(16, 3, 24, 24), draw_generator(0, 0))
    valid = drawn.valid(torch.rand(16, 3, 24, 24))
    for weight, (right, down) in zip(valid, drawn.offset.long().tolist()):
        assert float(weight.sum()) == (24 - 6 - abs(right)) * (24 - 6 - abs(down))
