"""The siamese wrapper, and the task models."""

from .anti_aliasing import AntiAliasedModel
from .blind_consistency import BlindConsistencyModel, BlindConsistencyNet
from .colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from .hdr import HDRCNN, HDRDataPreprocessor, HDRReconstructionModel, num_variables
from .siamese import SiameseEditModel

__all__ = [
    "HDRCNN",
    "AntiAliasedModel",
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
