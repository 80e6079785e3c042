"""Checks of a training or a test before its data are loaded, which may take minutes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from mmengine.config import Config

from ..utils.command_line import Assignments, claim, claim_work_dir, is_first_process
from ..utils.validation import Count, NotNegative, Whole, check_value
from .checkpoints import check_resumable, read_checkpoint, refuse_to_overwrite
from .configs import check_keys, read_config, type_name

VALUES: dict[str, Any] = {
    "train_cfg.max_epochs": Whole,
    "train_cfg.max_iters": Whole,
    "train_cfg.val_interval": Whole,
    "train_dataloader.batch_size": Whole,
    "train_dataloader.num_workers": Count,
    "val_dataloader.num_workers": Count,
    "test_dataloader.num_workers": Count,
    "randomness.seed": Annotated[int, Interval(ge=0, le=4294967295)],
}
"""Keys of a config and what they may be, if they are there and not None."""

STARTED_BY = {
    "pytorch": ("RANK", "torchrun, as tools/dist_train.sh does"),
    "slurm": ("SLURM_PROCID", "srun, as tools/slurm_train.sh does"),
    "mpi": ("OMPI_COMM_WORLD_LOCAL_RANK", "mpirun"),
}
"""--launcher -> a variable that is there then, and what sets it."""

METRIC_FILES = (".json", ".yaml", ".yml", ".pkl", ".pickle")


def check_run(tool: str, arguments: Sequence[str], overwrite: bool = False) -> None:
    """Checks what MMagic's train.py or test.py is called with, and holds what will be written.

    Args:
        tool: Its name.
        arguments: Those of the command line; what is not known here is left to their parser.
        overwrite: `--out` may be there.

    Raises:
        FileNotFoundError, OSError, ValueError: With the option, key or file that is wrong, and what helps.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("files", nargs="*")
    for name in ("--work-dir", "--out", "--launcher"):
        parser.add_argument(name)
    for name in ("--resume", "--amp"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    args, _ = parser.parse_known_intermixed_args(arguments)
    if not args.files or {"-h", "--help"} & set(arguments):
        return
    config = read_config(args.files[0], args.cfg_options)
    check_keys(config)
    check_values(config)
    _check_launcher(args.launcher)
    if tool == "test.py":
        _check_test(config, args, overwrite)
    else:
        _check_training(config, args)


def check_values(config: Config) -> None:
    """Raises ValueError if a number of a config (`VALUES`, an optimiser's) is none, or out of range."""
    for key, hint in VALUES.items():
        value = _at(config, key)
        if value is not None:
            check_value(key, value, hint)
    for key, optimizer in _optimizers(config.get("optim_wrapper") or {}, "optim_wrapper"):
        for name, value in optimizer.items():
            if not name.endswith("type"):
                check_value(f"{key}.{name}", value, _NUMBERS if isinstance(value, str) else _HINTS.get(name, Any))


_NUMBERS: Any = NotNegative | bool
_HINTS: dict[str, Any] = dict.fromkeys(("lr", "weight_decay", "eps"), NotNegative)


def _at(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping | Config) else None
    return value


def _optimizers(part: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in part.items():
        if name == "optimizer" and isinstance(value, Mapping):
            yield f"{key}.{name}", value
        elif isinstance(value, Mapping):
            yield from _optimizers(value, f"{key}.{name}")


def _check_launcher(launcher: str | None) -> None:
    if launcher in STARTED_BY and STARTED_BY[launcher][0] not in os.environ:
        raise ValueError(
            f"--launcher {launcher} is for processes that were started by {STARTED_BY[launcher][1]}: start it so, or "
            "leave it out"
        )


def _check_test(config: Config, args: argparse.Namespace, overwrite: bool) -> None:
    if is_first_process(args.launcher):
        claim(args.out, inputs=args.files, overwrite=overwrite)
    if args.out is not None and Path(args.out).suffix not in METRIC_FILES:
        raise ValueError(f"--out {args.out}: metrics go into {', '.join(METRIC_FILES)}")
    if len(args.files) > 1:
        check_checkpoint(config, args.files[1])


def _check_training(config: Config, args: argparse.Namespace) -> None:
    from mmengine.device import get_device

    wrapper = config.get("optim_wrapper") or {}
    kinds = {type_name(part) for part in (wrapper, *wrapper.values()) if isinstance(part, Mapping)}
    if (args.amp or "AmpOptimWrapper" in kinds) and get_device() == "cpu":
        raise ValueError(
            "--amp and AmpOptimWrapper need a GPU: on a CPU that has bfloat16 take BFloat16OptimWrapper "
            "(--cfg-options optim_wrapper.type=BFloat16OptimWrapper), and leave it out else"
        )
    if args.amp and "BFloat16OptimWrapper" in kinds:
        raise ValueError("--amp is float16, and the config has BFloat16OptimWrapper: leave one of them out")
    start, resume = config.get("load_from"), args.resume or config.get("resume")
    folder = args.work_dir or config.get("work_dir") or Path("work_dirs") / Path(args.files[0]).stem
    if is_first_process(args.launcher):
        if not resume:
            refuse_to_overwrite(start, folder)
        claim_work_dir(folder)
    if not resume:
        if start:
            check_checkpoint(config, start)
    elif "ExactResumeHook" not in map(type_name, config.get("custom_hooks") or ()):
        from mmengine.runner import find_latest_checkpoint

        path = start or (find_latest_checkpoint(folder) if Path(folder).is_dir() else None)
        if path:
            check_resumable(read_checkpoint(path), path)


def check_checkpoint(config: Config, path: str) -> None:
    """Asks the `StrictLoadHook` of a config, if it has one, whether a checkpoint is of its network.

    Raises:
        FileNotFoundError, ValueError: If it cannot be read, or is of another.
    """
    from mmagic.registry import HOOKS, MODELS
    from mmengine.registry import init_default_scope

    checkpoint = read_checkpoint(path)
    hooks = [hook for hook in config.get("custom_hooks") or () if type_name(hook) == "StrictLoadHook"]
    if hooks:
        init_default_scope(config.get("default_scope", "mmagic"))
        model = MODELS.build(config.model)
        for hook in hooks:
            HOOKS.build(hook).check(model, checkpoint, path)
