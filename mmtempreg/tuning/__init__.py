"""Search for a regularisation and its strength: short fine-tunings, measured on pseudo-clips of still images."""

from .pseudo_clips import Quality, measure_pseudo_clips, pseudo_clip_motion
from .search import LADDER, TuningResult, tune
from .tuner import CANDIDATES, Candidate, Trial, Tuner

__all__ = [
    "CANDIDATES",
    "LADDER",
    "Candidate",
    "Quality",
    "Trial",
    "Tuner",
    "TuningResult",
    "measure_pseudo_clips",
    "pseudo_clip_motion",
    "tune",
]
