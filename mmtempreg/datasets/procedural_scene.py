"""Moving HDR scenes, drawn by formula: any frame of any scene is a pure function of (seed, index, frame)."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .virtual_camera import exposure_for

FPS = 24.0
"""Frame rate of the clips: motion is defined in seconds."""

MAX_RADIANCE = 1000.0
"""Brighter than this is clipped, far above anything that matters and far below what float16 holds."""


@dataclass(frozen=True)
class Wave:
    """A smooth random function of time: a sum of sinusoids with values around `mean`."""

    mean: float
    amplitudes: np.ndarray
    frequencies: np.ndarray  # Hz
    phases: np.ndarray

    @staticmethod
    def draw(rng: np.random.Generator, mean: float, amplitude: float, fastest: float = 1.0) -> Wave:
        """Two sinusoids of 0.1 Hz to `fastest`, the faster the smaller."""
        frequencies = np.exp(rng.uniform(np.log(0.1), np.log(fastest), 2))
        amplitudes = amplitude * rng.uniform(0.3, 1, 2) * np.minimum(1, 0.3 / frequencies)
        return Wave(mean, amplitudes, frequencies, rng.uniform(0, 2 * np.pi, 2))

    def __call__(self, seconds: float) -> float:
        waves = self.amplitudes * np.sin(2 * np.pi * self.frequencies * seconds + self.phases)
        return float(self.mean + waves.sum())


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing in the scene. Lengths are in image widths.

    Attributes:
        kind: Key of `SHAPES`, or 'glow', which adds light instead of covering.
        x, y, angle, scale: Position, rotation (radians) and size over time.
        half: Half extents along the feature's own axes.
        colour: (3,) linear RGB radiance.
        falloff: How many e-folds the luminance loses from the centre to the rim.
        stripes: (e-folds, cycles per image width) of a modulation, or (0, 0).
    """

    kind: str
    x: Wave
    y: Wave
    angle: Wave
    scale: Wave
    half: tuple[float, float]
    colour: np.ndarray
    falloff: float
    stripes: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that does not change from frame to frame."""

    features: list[Feature]
    camera: tuple[Wave, Wave]
    background: np.ndarray
    slope: np.ndarray
    ripples: np.ndarray
    percentile: float


def _colour(rng: np.random.Generator, stops: float, saturation: float) -> np.ndarray:
    """Random hue, with a luminance of 2^stops."""
    rgb = np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0, saturation), 1.0))
    return (rgb**2.2 * 2.0**stops).astype(np.float32)


def _ellipse(u: np.ndarray, v: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    return (np.sqrt((u / half[0]) ** 2 + (v / half[1]) ** 2 + 1e-12) - 1) * min(half)


def _box(u: np.ndarray, v: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    return np.maximum(np.abs(u) - half[0], np.abs(v) - half[1])


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray, tuple[float, float]], np.ndarray]] = {
    "disc": _ellipse,
    "ellipse": _ellipse,
    "box": _box,
    "gradient": _box,
    "texture": _box,
    "highlight": _box,
    "beam": _box,
}
"""Signed distance to the rim in image widths, negative inside."""

KINDS = ("disc", "ellipse", "box", "glow", "gradient", "texture", "highlight")


def _draw_feature(rng: np.random.Generator, kind: str) -> Feature:
    r1, r2 = np.exp(rng.uniform(np.log(0.04), np.log(0.22), 2))
    half = {
        "disc": (r1, r1),
        "glow": (1.5 * r1, 1.5 * r1),
        "highlight": (float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.006, 0.016))),
        "beam": (2.0, float(rng.uniform(0.015, 0.06))),
    }.get(kind, (r1, r2))
    bright = kind in ("glow", "highlight") or rng.uniform() < 0.4
    stops = rng.uniform(0.5, 5) if bright else rng.uniform(-5, 0.5)
    if kind == "beam":
        stops = rng.uniform(-8, -4)
    striped = kind == "texture" or rng.uniform() < 0.25
    return Feature(
        kind=kind,
        x=Wave.draw(rng, rng.uniform(0, 1), rng.uniform(0.03, 0.2)),
        y=Wave.draw(rng, rng.uniform(0, 1), rng.uniform(0.03, 0.2)),
        angle=Wave.draw(rng, rng.uniform(0, np.pi), rng.uniform(0, 0.5)),
        scale=Wave.draw(rng, 1.0, rng.uniform(0, 0.12)),
        half=half,
        colour=_colour(rng, stops, 0.8),
        falloff=float(rng.uniform(0, 2.5)),
        stripes=(float(rng.uniform(0.2, 1.2)), float(rng.uniform(2, 16))) if striped else (0.0, 0.0),
    )


def draw_scene(seed: int, index: int) -> Scene:
    """The scene of a pair (seed, index): 4-10 features over a textured background, behind 0-3 beams."""
    rng = np.random.default_rng([seed, index])
    kinds = list(rng.choice(KINDS, rng.integers(4, 11)))
    # Glows are light: they are added once everything that covers has been drawn, but for the beams.
    kinds = sorted(kinds, key=lambda kind: kind == "glow") + ["beam"] * int(rng.integers(0, 4))
    ripples = np.stack(
        [rng.normal(0, 4, 6), rng.normal(0, 4, 6), rng.uniform(0, 2 * np.pi, 6), rng.uniform(0, 0.25, 6)], axis=1
    )
    return Scene(
        features=[_draw_feature(rng, str(kind)) for kind in kinds],
        camera=(Wave.draw(rng, 0, rng.uniform(0, 0.1)), Wave.draw(rng, 0, rng.uniform(0, 0.1))),
        background=_colour(rng, rng.uniform(-3, 0), 0.6),
        slope=rng.normal(0, 1, 2),
        ripples=ripples,
        percentile=float(rng.uniform(0.80, 0.97)),
    )


def _own_coordinates(feature: Feature, x: np.ndarray, y: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of the scene, seen by the camera, along the axes of a feature, in which it does not change."""
    scale, angle = feature.scale(t), feature.angle(t)
    cos, sin = math.cos(angle), math.sin(angle)
    dx, dy = x - feature.x(t), y - feature.y(t)
    return (cos * dx + sin * dy) / scale, (cos * dy - sin * dx) / scale


def _scene_coordinates(feature: Feature, u: np.ndarray, v: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `_own_coordinates`."""
    scale, angle = feature.scale(t), feature.angle(t)
    cos, sin = math.cos(angle), math.sin(angle)
    return feature.x(t) + scale * (cos * u - sin * v), feature.y(t) + scale * (sin * u + cos * v)


def _cover(rim: np.ndarray, scale: float, size: int) -> np.ndarray:
    """Coverage by a feature, from the signed distance to its rim along its own axes.

    Edges are about two pixels wide: a sub-pixel motion changes pixel values smoothly, as an optic would.
    """
    return 0.5 - 0.5 * np.sin(np.clip(rim * scale * size / 2, -1, 1) * (math.pi / 2))


def _render_unexposed(scene: Scene, frame: int, size: int) -> np.ndarray:
    t = frame / FPS
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    x = axis[None, :] - scene.camera[0](t)
    y = axis[:, None] - scene.camera[1](t)
    # Python's floats, not NumPy's: those would turn every image into float64, at twice the time.
    slope_x, slope_y = scene.slope.tolist()
    log_light = slope_x * (x - 0.5) + slope_y * (y - 0.5)
    for fx, fy, phase, strength in scene.ripples.tolist():
        log_light += strength * np.sin(2 * math.pi * (fx * x + fy * y) + phase)
    # Planar: arithmetic that broadcasts over a last axis of 3 is several times slower.
    image = np.exp(log_light) * scene.background[:, None, None]
    for feature in scene.features:
        u, v = _own_coordinates(feature, x, y, t)
        strength, cycles = feature.stripes
        log_fill = strength * np.sin(2 * math.pi * cycles * u) if strength else np.zeros_like(u)
        if feature.kind == "glow":
            distance = (u**2 + v**2) / feature.half[0] ** 2
            image += np.exp(log_fill - 2 * distance) * feature.colour[:, None, None]
            continue
        rim = SHAPES[feature.kind](u, v, feature.half)
        cover = _cover(rim, feature.scale(t), size)
        if feature.kind == "gradient":
            log_fill = log_fill + feature.falloff * u / feature.half[0]
        elif feature.kind != "beam":
            log_fill = log_fill - feature.falloff * np.clip(1 + rim / min(feature.half), 0, 1) ** 2
        fill = np.exp(log_fill) * feature.colour[:, None, None]
        image += cover * (fill - image)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def scene_motion(scene: Scene, now: int, then: int, *, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact motion of each pixel of a frame from an earlier one.

    A pixel moves with the foremost feature that covers it, or with the background. It counts as hidden at a rim, and
    where something else covered it then. Glows are light that falls on all of this and moves for itself: where they do,
    the truth changes along its motion.

    Returns:
        flow (2, size, size) float32 in pixels, and visible (1, size, size) float32, as in `meters.Motion`.
    """
    axis = (np.arange(size) + 0.5) / size
    x, y = (part.astype(np.float64) for part in np.meshgrid(axis, axis))
    before_x, before_y = (part + camera(then / FPS) - camera(now / FPS) for part, camera in zip((x, y), scene.camera))
    foremost = _foremost(scene, x, y, now, size)
    for index, feature in enumerate(scene.features):
        here = foremost == index
        if here.any():
            u, v = _own_coordinates(feature, *_in_scene(scene, x, y, now), now / FPS)
            moved = _scene_coordinates(feature, u, v, then / FPS)
            for before, part, camera in zip((before_x, before_y), moved, scene.camera):
                before[here] = (part + camera(then / FPS))[here]
    visible = (foremost != _RIM) & (foremost == _foremost(scene, before_x, before_y, then, size))
    flow = np.stack([before_x - x, before_y - y]) * size
    return flow.astype(np.float32), visible[None].astype(np.float32)


_BACKGROUND, _RIM = -1, -2
_CLEAR = 0.01
"""Less than this cannot be seen to cover, or not to cover."""


def _in_scene(scene: Scene, x: np.ndarray, y: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    return x - scene.camera[0](frame / FPS), y - scene.camera[1](frame / FPS)


def _foremost(scene: Scene, x: np.ndarray, y: np.ndarray, frame: int, size: int) -> np.ndarray:
    """The number of the feature that covers each point, `_BACKGROUND`, or `_RIM` where that is not clear."""
    found = np.full(x.shape, _BACKGROUND)
    for index, feature in enumerate(scene.features):
        if feature.kind == "glow":
            continue
        u, v = _own_coordinates(feature, *_in_scene(scene, x, y, frame), frame / FPS)
        cover = _cover(SHAPES[feature.kind](u, v, feature.half), feature.scale(frame / FPS), size)
        found = np.where(cover > 1 - _CLEAR, index, np.where(cover < _CLEAR, found, _RIM))
    return found


def expose(image: np.ndarray, exposure: float) -> np.ndarray:
    """Scales radiance so that 1 is where the sensor saturates; what is beyond all measure is clipped."""
    return np.clip(image * np.float32(exposure), 0, MAX_RADIANCE)


def render_still(scene: Scene, size: int) -> np.ndarray:
    """Frame 0 of the scene: linear RGB radiance, (size, size, 3) float32, 1 where the sensor saturates."""
    image = _render_unexposed(scene, 0, size)
    return expose(image, exposure_for(image, scene.percentile))


def render_clip(scene: Scene, num_frames: int, size: int) -> Iterator[np.ndarray]:
    """The first frames of the scene, like `render_still`. The exposure is frame 0's throughout."""
    exposure = exposure_for(_render_unexposed(scene, 0, size), scene.percentile)
    for frame in range(num_frames):
        yield expose(_render_unexposed(scene, frame, size), exposure)
