"""Images as the frames of a clip: files in the order of their names, or one file that holds several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from .frames import Frame, FrameSource, checked_rate
from .image_files import Picture, read_pages, read_picture

NUMBER = re.compile(r"([0-9]+)", flags=re.ASCII)
LONGEST_NUMBER = 11
"""Digits of what still counts frames: longer ones are times, in nanoseconds or so."""


def _natural_key(path: Path) -> list[Any]:
    """2 before 10: numbers and what is between them, in turn."""
    return [int(part) if n % 2 else part for n, part in enumerate(NUMBER.split(str(path)))]


def _in_order(files: Sequence[Path]) -> list[Path]:
    """Natural order; names that are times (0.033) or count from below zero (f-1, f0, f1) by their value."""
    stems = [path.stem for path in files]
    if all(re.fullmatch(r"[0-9]+\.[0-9]+", stem, flags=re.ASCII) for stem in stems):
        return sorted(files, key=lambda path: float(path.stem))
    ends = [re.fullmatch(r"(.*?)(-?)([0-9]+)", stem, flags=re.ASCII | re.DOTALL) for stem in stems]
    if all(ends):
        signs = {(end[1], end[2]) for end in ends if end}
        if len({start for start, _ in signs}) == 1 < len(signs):  # a minus before some numbers only is one
            return [path for _, path in sorted((int(end[2] + end[3]), path) for end, path in zip(ends, files) if end)]
    return sorted(files, key=_natural_key)


def _check_numbering(files: Sequence[Path]) -> None:
    """Numbered frames must be numbered evenly.

    Raises:
        ValueError: If a number is missing or there twice; the message names it, and what helps.
    """
    numbers = []
    for file in files:
        found = NUMBER.findall(file.stem)
        if not found or len(found[-1]) > LONGEST_NUMBER or re.search(r"[0-9]\.[0-9]+$", file.stem, flags=re.ASCII):
            return
        numbers.append(int(found[-1]))
    stems = {re.sub(r"[0-9]+(?=[^0-9]*$)", "#", str(file.with_suffix("")), flags=re.ASCII) for file in files}
    if {"#"} == {stem[-1:] for stem in stems} and len(stems) == 2 and len({stem.rstrip("#-") for stem in stems}) == 1:
        return  # from below zero
    steps = [b - a for a, b in pairwise(numbers)]
    if len(stems) > 1 or not steps:
        return  # not a numbered sequence
    step = min(steps)
    for before, after, gap in zip(files, files[1:], steps):
        if gap == 0:
            raise ValueError(
                f"{before} and {after.name} have the same number: name one kind by a pattern, such as "
                f"'{before.parent}/*{before.suffix}', or take all as they are (--any-order)"
            )
        if gap != step:
            raise ValueError(
                f"a frame is missing between {before} and {after.name}: the others are numbered in steps of {step}, "
                f"here it is {gap}; --any-order takes them as they are"
            )


class FrameFiles(FrameSource):
    """Images as the frames of a clip.

    Args:
        name: What messages call it.
        files: Image files, in any order.
        rate: Frames per second.
        any_order: See `open_frames`.

    Raises:
        ValueError: If there is no rate, a frame is missing, or the first cannot be read; when iterated, if one cannot
            be read or differs from the first in size or type.
    """

    def __init__(self, name: str, files: Sequence[Path], rate: Fraction | None, *, any_order: bool = False) -> None:
        super().__init__(name)
        if rate is None:
            raise ValueError(f"{name}: images do not tell their frame rate; give it (--fps)")
        self.rate = rate
        self.files = _in_order(files)
        if not any_order:
            _check_numbering(self.files)
        self.num_frames: int = len(self.files)
        first = read_picture(self.files[0])
        self.size, self._dtype = first.color.shape[:2], first.color.dtype
        self._note(first)

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self.files):
            picture = read_picture(file)
            self._check(picture, str(file))
            yield Frame(picture.color, index / self.rate, picture.alpha, metadata=picture.metadata)

    @property
    def title(self) -> str:
        return self.files[0].parent.resolve().name

    def _check(self, picture: Picture, name: str) -> None:
        image = picture.color
        if image.shape[:2] != self.size or image.dtype != self._dtype:
            expected = f"{self.size[1]}x{self.size[0]} {self._dtype}"
            got = f"{image.shape[1]}x{image.shape[0]} {image.dtype}"
            raise ValueError(f"{name} is {got}, the frames before it {expected}")
        self._note(picture)

    def _note(self, picture: Picture) -> None:
        for text in picture.notes:
            self.note(text)


class ImagePages(FrameFiles):
    """The pages of a TIFF, or the frames of an animated WebP, as those of a clip.

    Args:
        path: The file.
        rate: Frames per second; None: as the animation says, whose frame rate may vary.

    Raises:
        ValueError: As `FrameFiles`.
    """

    def __init__(self, path: Path, rate: Fraction | None) -> None:
        self._given_rate = rate
        durations = [picture.duration for picture in read_pages(path)]
        if rate is None and all(durations):
            rate = checked_rate(len(durations) / sum(filter(None, durations)), f"the frame rate of {path}")
        first = next(read_pages(path))
        FrameSource.__init__(self, str(path))
        if rate is None:
            raise ValueError(f"{path}: its pages do not tell their frame rate; give it (--fps)")
        self.rate, self.num_frames, self.files = rate, len(durations), [path]
        self.size, self._dtype = first.color.shape[:2], first.color.dtype

    def __iter__(self) -> Iterator[Frame]:
        time = Fraction(0)
        for index, picture in enumerate(read_pages(self.files[0])):
            self._check(picture, f"{self.name}: page {index}")
            duration = 1 / self.rate if self._given_rate or not picture.duration else picture.duration
            yield Frame(picture.color, time, picture.alpha, duration, picture.metadata)
            time += duration
