"""The siamese wrapper, and the task models."""

from .colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from .hdr import HDRCNN, HDRDataPreprocessor, HDRReconstructionModel, num_variables
from .siamese import SiameseEditModel

__all__ = [
    "HDRCNN",
    "ColorizationCNN",
    "ColorizationModel",
    "ColorizationVGG",
    "HDRDataPreprocessor",
    "HDRReconstructionModel",
    "SiameseEditModel",
    "num_variables",
]
