"""A model with its weights."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..openmmlab.checkpoints import anti_aliased_networks, load_weights, read_checkpoint


def load_model(config: Config, checkpoint: str, device: str = "cpu") -> Any:
    """The config's model with a checkpoint's weights, ready for inference.

    Its strides are anti-aliased as the checkpoint was trained, whatever the config says; where the checkpoint does not
    tell, as the config says.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config has no model, or the checkpoint cannot be read, is of another network, or holds NaN.
    """
    from mmagic.registry import MODELS

    from ..models.anti_aliasing import restore_strides, without_anti_aliasing

    if "model" not in config:
        raise ValueError(f"{config.filename or 'the config'} has no model")
    init_default_scope(config.get("default_scope", "mmagic"))
    read = read_checkpoint(checkpoint)
    tells = bool(anti_aliased_networks(read))
    model = MODELS.build(without_anti_aliasing(config.model) if tells else config.model)
    restore_strides(model, read)
    load_weights(model, checkpoint, type(model).__name__, checkpoint=read)
    return model.to(device).eval()
