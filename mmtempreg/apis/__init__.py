"""What scripts and notebooks call."""

from .clips import ClipFrame, load_model, load_test_clips, predict_clip

__all__ = ["ClipFrame", "load_model", "load_test_clips", "predict_clip"]
