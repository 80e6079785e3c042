"""The siamese wrapper: any stock single-frame model, trained for temporal stability."""

from .siamese_edit_model import SiameseEditModel

__all__ = ["SiameseEditModel"]
