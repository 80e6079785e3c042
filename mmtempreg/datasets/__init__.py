"""HDR images and clips, and the sampler that keeps clips whole."""

from .clip_sampler import ClipSampler
from .hdr_images import HDRImageDataset, HDRPanDataset, read_hdr
from .procedural_hdr import ProceduralHDRDataset

__all__ = ["ClipSampler", "HDRImageDataset", "HDRPanDataset", "ProceduralHDRDataset", "read_hdr"]
