"""The siamese wrapper, and the task models."""

from .anti_aliasing import AntiAliasedModel
from .blind_consistency import BlindConsistencyModel, BlindConsistencyNet
from .colorization import ColorizationCNN, ColorizationModel, ColorizationVGG
from .hdr import (
    HDRCNN,
    ExpandNet,
    HDRDataPreprocessor,
    HDRReconstructionModel,
    RelativeRadianceModel,
    num_variables,
)
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
    "ExpandNet",
    "HDRDataPreprocessor",
    "HDRReconstructionModel",
    "NetworkOfFile",
    "RelativeRadianceModel",
    "SiameseEditModel",
    "num_variables",
]
