"""Temporal stability for MMagic's single-frame image-to-image networks.

Adding `mmtempreg` to a config's `custom_imports` is all the set-up there is. Importing the package costs nothing:
MMagic and what it needs are mended when they are imported, and what needs MMagic's slow import is loaded when a
registry is first asked for something.
"""

from .openmmlab import compat, registries
from .version import __version__

compat.apply()
registries.register_lazily()

__all__ = ["__version__"]
