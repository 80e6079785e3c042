"""What scripts and notebooks call."""

from importlib import import_module
from typing import Any

# Loaded when they are asked for: measuring a video must not wait for what running a model needs.
_HOMES = {
    "ClipFrame": "clips",
    "ConsistencyFilter": "consistency",
    "FrameModel": "frame_model",
    "Measurement": "video_measurement",
    "Processed": "video_processing",
    "Quality": "tuning",
    "Trial": "tuning",
    "Tuned": "tuning",
    "Tuner": "tuning",
    "VideoScores": "video_measurement",
    "clip_indices": "clips",
    "config_hash": "configs",
    "find_images": "equivariance",
    "load_model": "clips",
    "load_test_clips": "clips",
    "measure_image_equivariance": "equivariance",
    "measure_pseudo_clips": "tuning",
    "measure_videos": "video_measurement",
    "predict_clip": "clips",
    "process_video": "video_processing",
    "stock_model": "configs",
    "tune": "tuning",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
