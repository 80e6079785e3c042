"""One call that makes a network steady: looks for causes, fine-tunes, measures, chooses how strongly, and says so."""

from .make import Clip, Steady, make_steady
from .network import RANGES, Network, read_network
from .recipe import Recipe

__all__ = ["RANGES", "Clip", "Network", "Recipe", "Steady", "make_steady", "read_network"]
