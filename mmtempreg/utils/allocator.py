"""Memory of the C library that is used again instead of being given back."""

from __future__ import annotations

import ctypes
import os
import sys

# M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's malloc.h
OPTIONS = {-8: 1, -3: 2**30, -1: 2**31 - 1}


def keep_freed_memory() -> bool:
    """Lets this process keep the memory that it has freed, up to blocks of 1 GiB; says whether it does.

    glibc gives blocks of a feature map's size back to the system, which has to clear every page of the next one: a
    sixth to a quarter of a network's time on a CPU. No value changes. The process holds the most that it has ever
    needed, so that this is for programs, and not for a library to do. Does nothing where the C library is another
    one, or where variables of the environment (`MALLOC_...`) say how it is to be.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and all(mallopt(option, value) for option, value in OPTIONS.items())
