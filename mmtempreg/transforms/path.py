"""Draws of transforms for several frames, each for itself or along a path, and the motion between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..functional import Motion, inside, pixel_grid
from .base import DrawnTransform, ImageRange, RandomTransform, uniform

FPS = 24.0
"""Frames per second of a pseudo-clip."""


class PathStep(DrawnTransform):
    """A frame of a clip that moves along drawn T: each point is moved `distance` times as far as T moves it.

    Args:
        motions: The drawn T with their distances, of which the displacements add up. A distance is a number or one for
            each image, (N,): 0 stands still, 1 is T, 2 is twice as far. Of affine T the result is affine too.
        appearance: Whose noise or exposure change the frame has: that of the path would be the same in all frames.
    """

    def __init__(
        self, motions: Sequence[tuple[DrawnTransform, float | Tensor]], appearance: DrawnTransform | None = None
    ) -> None:
        first = motions[0][0]
        super().__init__(first.size, first.padding_mode)
        self.motions, self.appearance = motions, appearance

    def map_points(self, points: Tensor) -> Tensor:
        moved = points
        for motion, distance in self.motions:
            if isinstance(distance, Tensor):
                distance = distance.to(points).view(-1, 1, 1, 1)
            moved = moved + distance * (motion.map_points(points) - points)
        return moved

    def perturb(self, x: Tensor) -> Tensor:
        return x if self.appearance is None else self.appearance.perturb(x)


def draw_independent(
    transform: RandomTransform, number: int, x: Tensor, *, generator: torch.Generator, image_range: ImageRange
) -> list[DrawnTransform]:
    """`number` T that have nothing to do with each other."""
    return [transform.sample(x, generator, image_range) for _ in range(number)]


def draw_path(
    transform: RandomTransform, number: int, x: Tensor, *, generator: torch.Generator, image_range: ImageRange
) -> list[DrawnTransform]:
    """Steady motion: the n-th frame after x is moved n times as far as one T moves it."""
    drawn = draw_independent(transform, number, x, generator=generator, image_range=image_range)
    return [PathStep([(drawn[0], n)], appearance) for n, appearance in enumerate(drawn, start=1)]


def draw_wander(
    transform: RandomTransform, number: int, x: Tensor, *, generator: torch.Generator, image_range: ImageRange
) -> list[DrawnTransform]:
    """Motion as of a hand-held camera: two T, each swinging up to twice as far at 0.3 to 1 Hz; x is the first frame."""
    motions = draw_independent(transform, 2, x, generator=generator, image_range=image_range)
    swings = [(uniform(generator, 0.3, 1.0, len(x)), uniform(generator, 0, 2 * math.pi, len(x))) for _ in motions]
    appearances = draw_independent(transform, number, x, generator=generator, image_range=image_range)

    def distance(frequency: Tensor, phase: Tensor, frame: int) -> Tensor:
        return torch.sin(2 * math.pi * frequency * frame / FPS + phase) - torch.sin(phase)

    return [
        PathStep([(motion, distance(*swing, frame)) for motion, swing in zip(motions, swings)], appearance)
        for frame, appearance in enumerate(appearances, start=1)
    ]


STEPS = 30
"""Steps of the iteration that inverts T; each leaves as much of the error as T's displacement changes in a pixel."""

CONVERGED = 0.01
"""Pixels by which T of the inverse may miss."""


def motion_between(now: DrawnTransform | None, then: DrawnTransform | None, size: tuple[int, int]) -> list[Motion]:
    """Exactly where each pixel of a moved image was in the same image moved otherwise, for each image of a batch.

    A pixel p of T_now(x) shows what is at T_now(p) in x, and T_then(x) shows that at T_then^-1(T_now(p)), which a fixed
    point iteration finds. Not visible is what lies outside of x, or where T_then folds and has no inverse.

    Args:
        now, then: T of the two frames; None: x itself.
        size: (H, W) of the images.
    """

    def mapped(drawn: DrawnTransform | None, points: Tensor) -> Tensor:
        return points if drawn is None else drawn.map_points(points)

    grid = pixel_grid(size, size)
    source = mapped(now, grid)
    source = source if source.ndim == 4 else source.unsqueeze(0)
    points = source
    if then is not None:
        for _ in range(STEPS):
            points = points + source - mapped(then, points)
    missed = (mapped(then, points) - source).norm(dim=-1).unsqueeze(1)
    visible = inside(source, size) * inside(points, size) * (missed < CONVERGED)
    flow = torch.nan_to_num(points - grid).permute(0, 3, 1, 2).float()
    return [Motion(*pair) for pair in zip(flow, visible)]


class DrawMotion(Protocol):
    """A way to draw `number` T for frames that follow x."""

    def __call__(
        self, transform: RandomTransform, number: int, x: Tensor, *, generator: torch.Generator, image_range: ImageRange
    ) -> list[DrawnTransform]: ...


MOTIONS: dict[str, DrawMotion] = dict(independent=draw_independent, path=draw_path, wander=draw_wander)
"""Names of the `motion` of `SiameseEditModel`."""
