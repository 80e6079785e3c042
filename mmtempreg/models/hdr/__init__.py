"""Single-exposure HDR reconstruction."""

from .expandnet import ExpandNet, RelativeRadianceModel
from .hdr_reconstruction import HDRDataPreprocessor, HDRReconstructionModel
from .hdrcnn import HDRCNN, num_variables

__all__ = [
    "HDRCNN",
    "ExpandNet",
    "HDRDataPreprocessor",
    "HDRReconstructionModel",
    "RelativeRadianceModel",
    "num_variables",
]
