"""The siamese wrapper, and the task models."""

from .blind_consistency import BlindConsistencyModel, BlindConsistencyNet
from .colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from .hdr import HDRCNN, HDRDataPreprocessor, HDRReconstructionModel, num_variables
from .siamese import SiameseEditModel

__all__ = [
    "HDRCNN",
    "BlindConsistencyModel",
    "BlindConsistencyNet",
    "ColorizationCNN",
    "ColorizationModel",
    "ColorizationVGG",
    "HDRDataPreprocessor",
    "HDRReconstructionModel",
    "SiameseEditModel",
    "num_variables",
]
