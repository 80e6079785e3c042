"""The siamese wrapper, and the task models."""

from .hdr import HDRCNN, HDRDataPreprocessor, HDRReconstructionModel, num_variables
from .siamese import SiameseEditModel

__all__ = ["HDRCNN", "HDRDataPreprocessor", "HDRReconstructionModel", "SiameseEditModel", "num_variables"]
