"""Orientation of a picture, as cameras note it in a video's display matrix or a photograph's EXIF."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """Steps from the stored picture to the one that is meant: rows and columns exchanged first, then mirrored.

    Attributes:
        transposed: Rows become columns.
        flip_x: Left and right are exchanged then.
        flip_y: Top and bottom.
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The picture (H, W, C) as it is meant."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        return np.ascontiguousarray(image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


EXIF = {
    1: Orientation(),
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(True),
    6: Orientation(True, flip_x=True),
    7: Orientation(True, True, True),
    8: Orientation(True, flip_y=True),
}
"""Value of EXIF's tag 0x0112 -> orientation."""


def of_display_matrix(data: bytes) -> Orientation:
    """The orientation that a display matrix of ISO 14496-12 says; of those that turn by other angles, the nearest.

    Args:
        data: Nine 32-bit numbers a b u c d v x y w: (x, y) is shown at (a x + c y, b x + d y), up to a shift.
    """
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
