"""Video files and folders of frames, in and out, as one thing."""

from .folder_writer import FrameFolderWriter
from .frame_writer import FrameWriter
from .frames import Frame, FrameSource
from .image_sequence import FrameFiles
from .reader import open_frames
from .resized import ResizedFrames
from .video_file import VideoFile
from .video_writer import VideoWriter
from .writer import open_writer

__all__ = [
    "Frame",
    "FrameFiles",
    "FrameFolderWriter",
    "FrameSource",
    "FrameWriter",
    "ResizedFrames",
    "VideoFile",
    "VideoWriter",
    "open_frames",
    "open_writer",
]
