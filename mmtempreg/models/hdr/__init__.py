"""Single-exposure HDR reconstruction."""

from .hdr_reconstruction import HDRDataPreprocessor, HDRReconstructionModel
from .hdrcnn import HDRCNN, num_variables

__all__ = ["HDRCNN", "HDRDataPreprocessor", "HDRReconstructionModel", "num_variables"]
