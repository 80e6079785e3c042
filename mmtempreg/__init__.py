"""Temporal stability for MMagic's single-frame image-to-image networks.

Adding `mmtempreg` to a config's `custom_imports` is all the set-up there is. Importing the package costs
no more than torch and MMEngine: what needs MMagic's slow import is loaded when a registry is first asked
for something, so that `mmtempreg.functional` starts at once.
"""

from .openmmlab import compat, registries
from .version import __version__

compat.apply()
registries.register_lazily()

__all__ = ["__version__"]
