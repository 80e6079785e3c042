"""Checkpoints from files: one way to read them, and to say what is wrong with them.

MMEngine reads local files with it too once this module is imported, which our hooks and models do.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ..utils.claims import check_input
from ..utils.shipped import shipped

ANTI_ALIASING = "anti_aliasing"
"""Attribute of a network whose strides are anti-aliased, and what its state dict's metadata calls that.

{'taps': 3}, and 'keep' where modules were left as they are: arguments of `models.anti_aliasing.anti_alias`.
"""

CONTAINERS = ("state_dict", "params_ema", "params", "model_state_dict", "model", "net", "generator", "weights")
"""Keys under which training codes save the weights; the first that is there is taken."""


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Reads a checkpoint file: one that `torch.save` wrote, or .safetensors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read or holds no dict, with its name.
    """
    path = check_input(shipped(filename))
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {filename}")
    if path.is_dir():
        raise ValueError(f"{filename} is a folder; a checkpoint is a file")
    if path.stat().st_size == 0:
        raise ValueError(f"{filename} is empty: it is no checkpoint")
    try:
        loaded = _load_safetensors(path) if _is_safetensors(path) else torch.load(path, map_location=map_location)
    except Exception as error:  # torch raises what it likes: RuntimeError, EOFError, UnpicklingError, KeyError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{filename} cannot be read as a checkpoint: it is cut off, damaged, of another kind, or holds what may "
            f"run code when it is loaded ({reason[:200]})"
        ) from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{filename} holds a {type(loaded).__name__}; a checkpoint is a dict of weights")
    return loaded


def _is_safetensors(path: Path) -> bool:
    """True if it begins as such a file does: with the length of a JSON text, and that."""
    with open(path, "rb") as file:
        begin = file.read(9)
    return path.suffix == ".safetensors" or (begin[8:] == b"{" and begin[7:8] == b"\0")


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)


OWN_CHECKPOINT = r"(epoch|iter)_\d+|best_.*"
"""Names that a run gives its own checkpoints, without `.pth`."""


def refuse_to_overwrite(load_from: str | Path | None, folder: str | Path) -> None:
    """Refuses a run that starts from a checkpoint over which it would write its own.

    Args:
        load_from: What it starts from.
        folder: Where its checkpoints go.

    Raises:
        ValueError: If it is so.
    """
    if load_from is None:
        return
    path = Path(load_from)
    if path.resolve().parent == Path(folder).resolve() and re.fullmatch(OWN_CHECKPOINT, path.stem):
        raise ValueError(
            f"load_from={load_from} lies in {folder}, where this run writes its own checkpoints, over it too: give "
            "another --work-dir, or go on from it with --resume"
        )


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of MMEngine, or a bare state dict; a URL or another of MMEngine's schemes will do too.

    Raises:
        FileNotFoundError, ValueError: As `load_from_local`.
    """
    read = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    return read if isinstance(read, dict) else dict(read)  # as it is: a bare state dict has its metadata


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, without a `module.` before their names.

    Raises:
        FileNotFoundError, ValueError: As `read_checkpoint`; ValueError too if it holds no weights, or any of them is
            NaN or infinite.
    """
    weights = weights_of(read_checkpoint(path), path)
    check_finite(weights, path)
    return weights


def weights_of(checkpoint: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """The weights of a checkpoint that is read already, of whatever training code; `path` is for the error.

    Raises:
        ValueError: If it holds none.
    """
    name, state = container_of(checkpoint)
    if not isinstance(state, Mapping):
        raise ValueError(f"{path} holds a {type(state).__name__} as its {name}; that is a dict of weights")
    weights = {name.removeprefix("module."): v for name, v in state.items() if isinstance(v, Tensor)}
    if not weights:
        raise ValueError(f"{path} holds no weights: it is no checkpoint of a network")
    if name not in (None, CONTAINERS[0]):
        others = [key for key in CONTAINERS if key in checkpoint and key != name]
        print_log(f"{path}: the weights are its {name!r}{f', not {others}' * bool(others)}", "current")
    return weights


def container_of(checkpoint: Mapping[str, Any]) -> tuple[str | None, Any]:
    """The state dict in a checkpoint, and by which name it lies there; None: it is the state dict itself."""
    if CONTAINERS[0] in checkpoint:
        return CONTAINERS[0], checkpoint[CONTAINERS[0]]
    for name in CONTAINERS:
        if isinstance(checkpoint.get(name), Mapping):
            return name, checkpoint[name]
    return None, checkpoint


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Twelve digits that change with any weight or its name, and not with the file's name or place."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def check_finite(weights: Mapping[str, Tensor], path: str | Path, what: str = "weights") -> None:
    """Raises ValueError if a weight is NaN or infinite, with its name and that of the file; `what` they are called."""
    spoilt = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if spoilt:
        raise ValueError(
            f"{path} holds {what} that are NaN or infinite, such as {spoilt[0]} ({len(spoilt)} of {len(weights)}): "
            "its training diverged, or the file is damaged; take an earlier checkpoint"
        )


def tensors_in(values: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in dicts and lists, as those of an optimiser's state, with the keys that lead to them as names."""
    if isinstance(values, Tensor):
        yield name, values
    elif isinstance(values, Mapping | list | tuple):
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
            yield from tensors_in(value, f"{name}.{key}" if name else str(key))


def check_resumable(held: Mapping[str, Any], path: str | Path) -> None:
    """Raises ValueError if a checkpoint that is read, from `path`, is none that a run can go on from."""
    if missing := {"meta", "state_dict", "optimizer"} - set(held):
        lacks = ", ".join(sorted(missing))
        raise ValueError(
            f"{path} has no {lacks}, it holds weights alone: a run can start from it (load_from), not go on"
        )
    for part, what in (("state_dict", "weights"), ("optimizer", "values of the optimiser")):
        check_finite(dict(tensors_in(held[part])), path, what)


def load_weights(model: nn.Module, path: str | Path, name: str, *, checkpoint: Mapping[str, Any] | None = None) -> None:
    """Gives a model the weights of a checkpoint, all of them and no others.

    Args:
        model: Whose weights are replaced.
        path: The checkpoint.
        name: Of the model, for the error.
        checkpoint: What it holds, if it is read already.

    Raises:
        FileNotFoundError, ValueError: As `read_weights`; ValueError too if they are of another network.
    """
    checkpoint = read_checkpoint(path) if checkpoint is None else checkpoint
    expected = model.state_dict()
    weights = fitted(weights_of(checkpoint, path), expected, path)
    check_finite(weights, path)
    faults = misfits(weights, expected)
    if more := [key for key in weights if key not in expected]:
        faults += f"{'; ' * bool(faults)}{len(more)} are of nothing in it, such as {more[:3]}"
    if faults:
        raise ValueError(f"{path} is of another network than this {name}: {faults}")
    model.load_state_dict(weights, strict=True)
    warn_of_other_strides(checkpoint, model, path)


def fitted(weights: dict[str, Tensor], expected: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """Weights by the names that a network has them by, where a beginning is all that differs; else as they are.

    The log says so. `path` is for it.
    """
    off, on, hits = _beginnings(weights, expected)
    if (off, on) == ("", "") or hits < len(expected):
        return weights
    print_log(f"{path}: the names of its weights fit with {_renaming(off, on)}", "current")
    return {on + name.removeprefix(off) if name.startswith(off) else name: value for name, value in weights.items()}


def _beginnings(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> tuple[str, str, int]:
    """Finds what to take off the names of weights and to put before them so that most fit, and how many do."""

    def fits(off: str, on: str) -> int:
        found = {on + name.removeprefix(off): value.shape for name, value in weights.items() if name.startswith(off)}
        return sum(found.get(name) == value.shape for name, value in expected.items())

    best = ("", "", fits("", ""))
    for name in list(expected)[:1] if best[2] < len(expected) else ():
        parts = name.split(".")
        for cut in range(len(parts)):
            on, tail = "".join(f"{part}." for part in parts[:cut]), ".".join(parts[cut:])
            for off in {other.removesuffix(tail) for other in weights if f".{other}".endswith(f".{tail}")}:
                best = max(best, (off, on, fits(off, on)), key=lambda found: found[2])
    return best


def _renaming(off: str, on: str) -> str:
    """Describes such a change of names in words."""
    return " and ".join([f"{off!r} taken off"] * bool(off) + [f"{on!r} put before them"] * bool(on))


def misfits(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Describes why weights are not those that a network expects; '' if they are."""
    missing = [name for name in expected if name not in weights]
    other = [
        f"{name} {tuple(weights[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    faults = [f"{len(missing)} of {len(expected)} weights are missing, such as {missing[:3]}"] * bool(missing)
    faults += [f"{len(other)} have another shape, such as {other[:3]}"] * bool(other)
    off, on, hits = _beginnings(weights, expected)
    if faults and hits > max(len(expected) // 2, len(expected) - len(missing) - len(other)):
        faults.append(f"with {_renaming(off, on)}, {hits} of {len(expected)} would fit")
    return "; ".join(faults)


def anti_aliasing_of(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Anti-aliasing of the network that a state dict (or a checkpoint with one) is of; None: there is none."""
    return next(iter(anti_aliased_networks(state).values()), None)


def anti_aliased_networks(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Anti-aliasing of each network of a model, by its name in it."""
    metadata = getattr(container_of(state)[1], "_metadata", {})
    return {
        name.removeprefix("module").removeprefix("."): dict(about[ANTI_ALIASING])
        for name, about in metadata.items()
        if ANTI_ALIASING in about
    }


def with_metadata(weights: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> OrderedDict[str, Tensor]:
    """Weights with what a state dict says of modules, by their names (`ANTI_ALIASING`)."""
    kept: Any = OrderedDict(weights)
    kept._metadata = OrderedDict(metadata)
    return kept


def with_metadata_of(checkpoint: Mapping[str, Any], weights: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Weights with what the state dict that they were made from says of itself: whether strides are anti-aliased."""
    return with_metadata(weights, getattr(container_of(checkpoint)[1], "_metadata", {}))


def anti_aliasing_in(model: nn.Module) -> dict[str, Any] | None:
    """Anti-aliasing of a model, or of a network in it; None: there is none."""
    return next((getattr(m, ANTI_ALIASING) for m in model.modules() if hasattr(m, ANTI_ALIASING)), None)


def warn_of_other_strides(checkpoint: Mapping[str, Any], model: nn.Module, path: str | Path) -> None:
    """Warns if weights were trained with anti-aliased strides and go into a network without, or the other way round.

    Their keys are the same, so that nothing else would tell.
    """
    trained, here = anti_aliasing_of(checkpoint), anti_aliasing_in(model)
    if trained == here:
        return
    if here is None:
        what = (
            f"was trained with anti-aliased strides ({trained}), and this network has none: what it predicts will be "
            "wrong. Put dict(type='AntiAliasedModel', model=...) around the model in the config"
        )
    elif trained is None:
        what = (
            f"was trained without anti-aliased strides, and this network has them ({here}): until it is fine-tuned "
            "like this, its predictions are softer"
        )
    else:
        what = f"was trained with anti-aliased strides of {trained}, and this network has {here}"
    print_log(f"{path} {what}", "current", logging.WARNING)
