"""A model with its weights."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..checkpoints import anti_aliasing_of, load_weights, read_checkpoint


def load_model(config: Config, checkpoint: str, device: str = "cpu") -> Any:
    """The config's model with a checkpoint's weights, ready for inference.

    If the checkpoint was trained with anti-aliased strides the model gets them, also where the config does not say so.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config has no model, or the checkpoint cannot be read, is of another network, or holds NaN.
    """
    from mmagic.registry import MODELS

    from ..models.anti_aliasing import anti_alias_model

    if "model" not in config:
        raise ValueError(f"{config.filename or 'the config'} has no model")
    init_default_scope(config.get("default_scope", "mmagic"))
    model = MODELS.build(config.model)
    read = read_checkpoint(checkpoint)
    trained_with = anti_aliasing_of(read)
    if trained_with and anti_aliasing_of(model.state_dict()) is None:
        anti_alias_model(model, trained_with["taps"])
    load_weights(model, checkpoint, type(model).__name__, read)
    return model.to(device).eval()
