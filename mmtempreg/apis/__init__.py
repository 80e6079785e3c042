"""What scripts and notebooks call."""

from .clips import ClipFrame, load_model, predict_clip

__all__ = ["ClipFrame", "load_model", "predict_clip"]
