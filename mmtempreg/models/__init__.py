"""The siamese wrapper, and the task models."""

from .anti_aliasing import AntiAliasedModel
from .blind_consistency import BlindConsistencyModel, BlindConsistencyNet
from .colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from .hdr import HDRCNN, HDRDataPreprocessor, HDRReconstructionModel, num_variables
from .network_of_file import NetworkOfFile
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
    "NetworkOfFile",
    "SiameseEditModel",
    "num_variables",
]
