"""The global generators of Python, NumPy and torch, from which pipelines and models draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_everything(*entropy: int) -> None:
    """Seeds the global generators of Python, NumPy and torch with a hash of some whole numbers >= 0."""
    small, large = _hashed(entropy)
    random.seed(small)
    np.random.seed(small)
    torch.manual_seed(large)


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Inside, the CPU's global generators are seeded likewise; after it they go on as if nothing had been drawn."""
    small, large = _hashed(entropy)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(small)
        np.random.seed(small)
        torch.default_generator.manual_seed(large)
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def _hashed(entropy: tuple[int, ...]) -> tuple[int, int]:
    """Seeds of 32 and of 63 bits."""
    small, high, low = (int(word) for word in np.random.SeedSequence(entropy).generate_state(3))
    return small, high << 31 | low >> 1
