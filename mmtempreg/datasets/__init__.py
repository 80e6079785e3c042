"""HDR images, photographs and clips, and the sampler that keeps clips whole."""

from .clip_pairs import ClipPairDataset
from .clip_sampler import ClipSampler
from .clips import ClipDataset, ClipEntry, find_clips, read_clip_list, write_clip_list
from .drawn_once import DrawnOnceDataset
from .hdr_clips import HDRClipDataset
from .hdr_images import HDRImageDataset, HDRPanDataset, read_hdr
from .in_memory import InMemoryDataset
from .item_files import name_files_of_errors
from .photograph_twice import PhotographRadianceTwice, PhotographTwice, TwoFrames
from .photographs import PhotographDataset
from .procedural_hdr import ProceduralHDRDataset

name_files_of_errors()

__all__ = [
    "ClipDataset",
    "ClipEntry",
    "ClipPairDataset",
    "ClipSampler",
    "DrawnOnceDataset",
    "HDRClipDataset",
    "HDRImageDataset",
    "HDRPanDataset",
    "InMemoryDataset",
    "PhotographDataset",
    "PhotographRadianceTwice",
    "PhotographTwice",
    "ProceduralHDRDataset",
    "TwoFrames",
    "find_clips",
    "read_clip_list",
    "read_hdr",
    "write_clip_list",
]
