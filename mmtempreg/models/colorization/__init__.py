"""Automatic colorization: the paper's two networks, and their task model."""

from .colorization_cnn import ColorizationCNN, ColorizationVGG
from .colorization_model import ColorizationModel

__all__ = ["ColorizationCNN", "ColorizationModel", "ColorizationVGG"]
