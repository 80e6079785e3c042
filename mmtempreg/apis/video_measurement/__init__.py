"""Measurement of processed videos, against a reference or without one, in one pass over their frames."""

from .frames import together
from .measure import measure_videos
from .scores import Measurement, Moment, VideoScores

__all__ = ["Measurement", "Moment", "VideoScores", "measure_videos", "together"]
