"""What scripts and notebooks call: process, measure, infer."""

from importlib import import_module
from typing import Any

from ..deprecated import moved_names

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

_moved = moved_names(
    __name__,
    {
        "ConsistencyFilter": "mmtempreg.apis:BlindConsistencyFilter",
        "Quality": "mmtempreg.tuning:Quality",
        "Trial": "mmtempreg.tuning:Trial",
        "Tuned": "mmtempreg.tuning:TuningResult",
        "Tuner": "mmtempreg.tuning:Tuner",
        "config_hash": "mmtempreg.openmmlab.configs:config_hash",
        "measure_pseudo_clips": "mmtempreg.tuning:measure_pseudo_clips",
        "stock_model": "mmtempreg.openmmlab.configs:stock_model_config",
        "tune": "mmtempreg.tuning:tune",
    },
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        return _moved(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
