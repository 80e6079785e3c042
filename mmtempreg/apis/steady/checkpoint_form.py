"""Checkpoints of any training code: the weights of a network found in them, and others put in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...openmmlab.checkpoints import CONTAINERS, check_finite, read_checkpoint, with_metadata
from ...utils.atomic_write import replace_when_written

PREFIXES = ("", "module.", "generator_ema.", "module.generator_ema.", "generator.", "module.generator.")
"""What may stand before a network's own keys; the first that fits is taken, others that a file has after them. An
average over the training comes first, as it does when such a model predicts."""

OF_TRAINING = ("optimizer", "optim_wrapper", "optimizers", "param_schedulers", "lr_scheduler", "message_hub")
"""What belongs to weights that are replaced."""


@dataclass(kw_only=True)
class CheckpointForm:
    """A checkpoint as it came, and where in it the network's weights are.

    Attributes:
        path: Of the file.
        holds: What the file holds.
        container: Key of the weights in it; None: it is them.
        prefix: What stands before the network's own keys.
        keys: The network's own.
        copies: Container and prefix of other weights of the same network, such as those that an average is of: they
            are replaced too, since nobody knows which will be used.
    """

    path: Path
    holds: dict[str, Any]
    container: str | None
    prefix: str
    keys: tuple[str, ...]
    copies: tuple[tuple[str | None, str], ...] = ()

    @property
    def state(self) -> MutableMapping[str, Any]:
        """The mapping that holds the weights."""
        return self.holds if self.container is None else self.holds[self.container]

    def weights(self) -> dict[str, Tensor]:
        """The network's weights by its own keys."""
        return {key: self.state[self.prefix + key] for key in self.keys}

    def note(self) -> str:
        """Says where the weights were found."""
        where = f"{self.path}" if self.container is None else f"{self.container!r} of {self.path}"
        other = "".join(f"; also replaced: {' '.join(filter(None, copy))}" for copy in self.copies)
        return f"weights: {where}{f', keys without {self.prefix!r}' if self.prefix else ''}{other}"

    def write(self, weights: Mapping[str, Tensor], out: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Writes the same checkpoint with other weights, each of the type of number that it had.

        The state of an optimiser goes, as it is that of other weights.

        Args:
            weights: By the network's own keys.
            out: The file.
            metadata: What is told of modules by their name in the network (`checkpoints.ANTI_ALIASING`).
        """
        state = self.state
        for container, prefix in ((self.container, self.prefix), *self.copies):
            part = self.holds if container is None else self.holds[container]
            for key in self.keys:
                part[prefix + key] = weights[key].to(part[prefix + key].dtype).cpu()
        kept = {name: value for name, value in self.holds.items() if self.container is None or name not in OF_TRAINING}
        if self.container is None:
            kept = state  # type: ignore[assignment]  # an OrderedDict may have metadata
        if metadata:
            known = dict(getattr(state, "_metadata", {}))
            prefixes = [self.prefix, *(prefix for container, prefix in self.copies if container == self.container)]
            for prefix, (name, about) in product(prefixes, metadata.items()):
                place = f"{prefix}{name}".rstrip(".")
                known[place] = {**known.get(place, {}), **about}
            state = with_metadata(state, known)
            kept = state if self.container is None else {**kept, self.container: state}  # type: ignore[assignment]
        with replace_when_written(out) as partial:
            if Path(out).suffix == ".safetensors":
                from safetensors.torch import save_file

                save_file({name: value.contiguous() for name, value in state.items()}, str(partial))
            else:
                torch.save(kept, partial)


def read_form(path: str | Path, expected: Mapping[str, Tensor]) -> CheckpointForm:
    """Finds the weights of a network in a checkpoint.

    Args:
        path: A file that `torch.save` wrote, or .safetensors.
        expected: The network's state dict: its keys and shapes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no weights that fit: what comes nearest is told.
    """
    holds = read_checkpoint(path)
    nearest, fitting = (-1, ""), []
    for container, state in _containers(holds):
        for prefix in _prefixes(state, next(iter(expected))):
            missing = [key for key in expected if prefix + key not in state]
            other = [key for key in expected if key not in missing and state[prefix + key].shape != expected[key].shape]
            if not missing and not other:
                fitting.append((container, prefix))
                continue
            fits = len(expected) - len(missing) - len(other)
            first = (missing or other)[0]
            if fits > nearest[0]:
                lacks = "is not there" if missing else f"has shape {tuple(state[prefix + first].shape)}"
                nearest = fits, f"{fits} of {len(expected)} weights fit, and {prefix + first} {lacks}"
    if fitting:
        (container, prefix), *copies = fitting
        form = CheckpointForm(
            path=Path(path), holds=holds, container=container, prefix=prefix, keys=tuple(expected), copies=tuple(copies)
        )
        check_finite(form.weights(), path)
        return form
    raise ValueError(
        f"{path} is of another network: {nearest[1] or 'it holds no weights'} (are the network's options right?)"
    )


def _containers(holds: Mapping[str, Any]) -> Iterator[tuple[str | None, Mapping[str, Tensor]]]:
    """Mappings in a checkpoint that have weights, with their key."""
    for name in CONTAINERS:
        if isinstance(holds.get(name), Mapping):
            yield name, holds[name]
    if any(isinstance(value, Tensor) for value in holds.values()):
        yield None, holds


def _prefixes(state: Mapping[str, Any], key: str) -> list[str]:
    """Prefixes with which a key stands in a state dict."""
    found = [name.removesuffix(key) for name in state if name == key or name.endswith(f".{key}")]
    return sorted(found, key=lambda prefix: PREFIXES.index(prefix) if prefix in PREFIXES else len(PREFIXES)) or [""]
