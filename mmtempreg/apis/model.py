"""A model with its weights."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..checkpoints import load_weights


def load_model(config: Config, checkpoint: str, device: str = "cpu") -> Any:
    """The config's model with a checkpoint's weights, ready for inference.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config has no model, or the checkpoint cannot be read, is of another network, or holds NaN.
    """
    from mmagic.registry import MODELS

    if "model" not in config:
        raise ValueError(f"{config.filename or 'the config'} has no model")
    init_default_scope(config.get("default_scope", "mmagic"))
    model = MODELS.build(config.model)
    load_weights(model, checkpoint, type(model).__name__)
    return model.to(device).eval()
