"""Video files and folders of frames, in and out, as one thing."""

from .reader import Frame, FrameFiles, FrameSource, VideoFile, open_frames
from .writer import FrameFolderWriter, FrameWriter, VideoWriter, open_writer

__all__ = [
    "Frame",
    "FrameFiles",
    "FrameFolderWriter",
    "FrameSource",
    "FrameWriter",
    "VideoFile",
    "VideoWriter",
    "open_frames",
    "open_writer",
]
