"""Configs as data: what tells one from another, and what they wrap."""

from __future__ import annotations

import argparse
import hashlib
import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict, DictAction

from ..utils.claims import check_input
from .plain_networks import CONFIG_OF_PLAIN_NETWORK, is_file_of_network, networks_in
from .registries import RENAMED


def read_options(texts: Sequence[str] | None) -> dict[str, Any]:
    """Reads KEY=VALUE of a command line (`command_line.Assignments`) as MMEngine's `DictAction` does.

    Raises:
        ValueError: If brackets are not balanced.
    """
    found = argparse.Namespace()
    try:
        DictAction([], "options")(argparse.ArgumentParser(), found, texts)
    except AssertionError as error:
        raise ValueError(str(error)) from error
    return found.options


def read_config(path: str | Path, options: Mapping[str, Any] | Sequence[str] | None = None) -> Config:
    """The config in a file, with what --cfg-options change.

    Args:
        path: Of the file.
        options: Keys and their values, or as `read_options` takes them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config, has no model, or an option does not fit into it.
    """
    if not check_input(path).is_file():
        if is_file_of_network(str(path)):
            raise ValueError(f"{path} names a network, and a config is needed: {CONFIG_OF_PLAIN_NETWORK}")
        raise FileNotFoundError(f"there is no config {path}")
    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config is a program, which may raise anything
        reason = ": ".join(filter(None, (type(error).__name__, str(error))))
        raise ValueError(f"{path} cannot be read as a config: {reason}{_if_network(path)}") from error
    try:
        config.merge_from_dict(dict(options) if isinstance(options, Mapping) else read_options(options))
    except Exception as error:
        raise ValueError(f"--cfg-options do not fit {path}: {type(error).__name__}: {error}") from error
    if not isinstance(config.get("model"), Mapping):
        raise ValueError(f"{path} has no model{_if_network(path)}")
    return config


def _if_network(path: str | Path) -> str:
    """What is said of a file that is no config, if it defines networks."""
    names = networks_in(path)
    if not names:
        return ""
    shown = " or ".join(f"{path}:{name}" for name in names[:5])
    return f"; a network in it is named {shown} for tools/steady.py; elsewhere {CONFIG_OF_PLAIN_NETWORK}"


def type_name(config: Mapping[str, Any] | type | str | None) -> str:
    """The name of what a config builds, however its `type` says it; '' without one.

    Args:
        config: A config, or its `type`: a name, with a scope or a module before it or not, or (in configs of the new
            style) the class itself.
    """
    kind = config.get("type") if isinstance(config, Mapping) else config
    return kind.__name__ if callable(kind) else str(kind or "").rpartition(".")[2]


def plain(config: Any) -> Any:
    """A part of a config as plain dicts and lists, with classes by their full names: it can be written to a file."""
    if isinstance(config, Mapping):
        return {name: plain(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [plain(value) for value in config]
    return full_name(config) if callable(config) else config


def full_name(kind: Any) -> str:
    """The name of a class or function by which a config can name it from anywhere."""
    return f"{kind.__module__}.{kind.__qualname__}"


def check_keys(config: Config) -> None:
    """Raises ValueError if a key of a config looks like one of MMEngine's runner misspelt: it would do nothing.

    Configs may hold variables of their own, so that a key is not wrong for being unknown.
    """
    from mmengine.runner import Runner  # slow

    known = {*inspect.signature(Runner.__init__).parameters, "custom_imports"} - {"self"}
    for key in config:
        close = get_close_matches(key, known, 1, cutoff=0.85) if key not in known else []
        if close and close[0] not in config:
            raise ValueError(f"{config.filename}: the key {key!r} does nothing; did you mean {close[0]!r}?")


def config_hash(config: Config) -> str:
    """Twelve digits that change with all in a config that training or testing depends on.

    The work directory, hooks that only watch, and the pipeline of MMagic's inferencer do not count.
    """
    content = {name: v for name, v in config.to_dict().items() if name not in ("work_dir", "inference_pipeline")}
    if content.get("custom_hooks"):
        content["custom_hooks"] = [hook for hook in content["custom_hooks"] if type_name(hook) != "FiniteLossHook"]
    if "model" in content:
        content["model"] = _with_first_names(content["model"])
    return hashlib.sha256(Config(content).pretty_text.encode()).hexdigest()[:12]


def _with_first_names(config: Any) -> Any:
    """A part of a config with types by the names that they had first: what was trained before has the same hash."""
    if isinstance(config, Mapping):
        names = {new: old for old, new in RENAMED.items()}
        kind = config.get("type")
        first = {"type": names.get(kind, kind)} if isinstance(kind, str) else {}
        return {name: _with_first_names(value) for name, value in config.items()} | first
    return [_with_first_names(value) for value in config] if isinstance(config, list) else config


def stock_model_config(config: Config) -> ConfigDict:
    """The config of the model without its regularisation, of a wrapped config or a stock one.

    If its strides are anti-aliased they stay so.
    """
    model = config.model
    if type_name(model) == "SiameseEditModel":
        return model.model
    if type_name(model) == "AntiAliasedModel" and type_name(model.model) == "SiameseEditModel":
        return ConfigDict({**model, "model": model.model.model})
    return model


PLAIN_LOSSES = ("L1Loss", "MSELoss", "CharbonnierLoss", "PSNRLoss")


def loss_distance(model: Mapping[str, Any]) -> dict[str, Any]:
    """The distance in which predictions of a stock model are compared: that of its own loss if it is a plain one."""
    loss = plain(model.get("pixel_loss") or {})
    return loss if type_name(loss) in PLAIN_LOSSES else dict(type="MSELoss")
