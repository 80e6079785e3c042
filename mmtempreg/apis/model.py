"""A model with its weights."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint


def load_model(config: Config, checkpoint: str, device: str = "cpu") -> Any:
    """The config's model with a checkpoint's weights, ready for inference.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        RuntimeError: If the checkpoint is of another network.
    """
    from mmagic.registry import MODELS

    init_default_scope(config.get("default_scope", "mmagic"))
    model = MODELS.build(config.model)
    load_checkpoint(model, checkpoint, map_location="cpu", strict=True)
    return model.to(device).eval()
