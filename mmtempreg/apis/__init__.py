"""Functions for scripts and notebooks: process, measure, infer."""

from importlib import import_module
from typing import Any

# Loaded when they are asked for: measuring a video must not wait for what running a model needs.
_HOMES = {
    "BlindConsistency": "blind_consistency",
    "BlindConsistencyFilter": "blind_consistency",
    "ClipFrame": "clips",
    "FrameModel": "frame_model",
    "Measurement": "video_measurement",
    "Processed": "video_processing",
    "VideoScores": "video_measurement",
    "blend_checkpoints": "blend",
    "clip_indices": "clips",
    "find_flicker_causes": "flicker_causes",
    "find_images": "equivariance",
    "load_model": "model",
    "load_test_clips": "clips",
    "make_steady": "steady",
    "measure_image_equivariance": "equivariance",
    "measure_videos": "video_measurement",
    "predict_clip": "clips",
    "process_video": "video_processing",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
