"""Configs as data: what tells one from another, and what they wrap."""

from __future__ import annotations

import hashlib

from mmengine.config import Config, ConfigDict


def config_hash(config: Config) -> str:
    """Twelve digits that change with anything in a config but its work directory."""
    content = {name: value for name, value in config.to_dict().items() if name != "work_dir"}
    return hashlib.sha256(Config(content).pretty_text.encode()).hexdigest()[:12]


def stock_model_config(config: Config) -> ConfigDict:
    """The config of the stock model, of a wrapped config or a stock one."""
    return config.model.model if config.model.type == "SiameseEditModel" else config.model
