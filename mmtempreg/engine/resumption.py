"""From which checkpoint a run goes on, and whether it is still the same run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..openmmlab.checkpoints import check_resumable, load_from_local
from ..openmmlab.configs import full_name, type_name

HOOKS = "custom_hooks"

PARTS = ("model", "train_dataloader", "optim_wrapper", "param_scheduler", "train_cfg", "randomness")
"""What of a config decides what a run comes to."""

FREE = ("num_workers", "persistent_workers", "prefetch_factor", "pin_memory", "max_iters", "max_epochs", "val_interval")
"""Keys in it that do not, or that one changes when one resumes: how long it trains."""


def newest_checkpoint(
    work_dir: str | Path, tell: Callable[[str], None], folder: str | Path | None = None
) -> Path | None:
    """The newest checkpoint of a work directory that can be resumed from; None: there is none.

    It is what `last_checkpoint` names, if that lies in the folder, and else the highest number there: a directory that
    was copied names the one that it was copied from. What is damaged is passed over.

    Args:
        work_dir: The directory.
        tell: Is told what was passed over, and why.
        folder: Where the run's checkpoints are; None: in the directory itself.

    Raises:
        ValueError: If there are checkpoints, but none can be read.
    """
    folder = Path(folder or work_dir)
    candidates = list(_candidates(Path(work_dir) / "last_checkpoint", folder, tell))
    reasons = []
    for path in candidates:
        try:
            check_resumable(load_from_local(str(path), map_location="cpu"), path)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
            tell(f"Not resumed from: {error}")
            continue
        return path
    if candidates:
        raise ValueError(
            f"none of the {len(candidates)} checkpoints in {folder} can be resumed from: remove them to start anew "
            f"({reasons[0]})"
        )
    return None


def _candidates(pointer: Path, folder: Path, tell: Callable[[str], None]) -> Iterator[Path]:
    named = None
    if pointer.is_file():
        text = os.fsdecode(pointer.read_bytes()).strip()
        named = folder / Path(text).name
        if not text:
            tell(f"{pointer} is empty: looks for the newest checkpoint")
        elif named.is_file():
            yield named
        else:
            tell(f"{pointer} names {text}, which is not in {folder}: looks for the newest checkpoint there")
    numbered = [
        (re.fullmatch(r"(epoch|iter)_(\d+)\.pth", path.name), path) for path in folder.glob("*.pth") if path.is_file()
    ]
    found = [(path.stat().st_mtime, match[1], int(match[2]), path) for match, path in numbered if match]
    by_time = len({kind for _, kind, _, _ in found}) > 1
    for *_, path in sorted(found, key=lambda entry: entry[0] if by_time else entry[2], reverse=True):
        if path != named:
            yield path


def settings_of(config: Config) -> dict[str, str]:
    """Settings that are compared on resume, as text for each key: `{'model.alpha': '0.8', ...}`; hooks by name."""
    hooks = {type_name(hook): hook for hook in config.get("custom_hooks") or ()}
    return dict(_flat({part: config.get(part) for part in PARTS} | {HOOKS: hooks}))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name not in FREE:
                yield from _flat(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _flat(part, f"{key}.{number}")
    else:
        yield key, full_name(value) if isinstance(value, type) else repr(value)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Differences between the settings of two runs, a text for each key; of hooks only if both tell theirs."""
    keys = [key for key in dict.fromkeys([*before, *now]) if before.get(key) != now.get(key)]
    if not any(key.startswith(HOOKS) for key in before):  # a checkpoint from before they were noted
        keys = [key for key in keys if not key.startswith(HOOKS)]
    return [f"{key}: {before.get(key, 'not there')} -> {now.get(key, 'not there')}" for key in keys]
