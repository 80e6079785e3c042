"""The siamese wrapper: any stock single-frame model, trained for temporal stability."""

from .siamese_edit_model import SiameseEditModel
from .training import Regularizer

__all__ = ["Regularizer", "SiameseEditModel"]
