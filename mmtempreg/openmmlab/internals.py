"""The only place that uses attributes of MMEngine's and MMagic's objects with private names, each time with the reason.

But for methods that a class of ours overrides: those say `super()._name()` where they stand.

Both are no longer maintained, so that these names stay as they are in MMEngine 0.10 and MMagic 1.2.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # they import transformers, which takes seconds, and this module stands behind `import mmtempreg`
    from mmengine.registry import Registry
    from mmengine.runner import Runner


def add_location(registry: Registry, module: str) -> None:
    """Makes a registry of another package import `module` when it is first asked for a name; at once if it was.

    A registry takes its locations when it is made, and MMagic has made its own.
    """
    if module in registry._locations:
        return
    registry._locations.append(module)
    if registry._imported:
        import_module(module)


def checkpoint_of(runner: Runner) -> str | None:
    """The checkpoint that the runner loads before it trains; None: none, or the last one of its work directory.

    `load_from` of the config is what `--resume` may have changed since.
    """
    return runner._load_from


def resumes(runner: Runner) -> bool:
    """True if the runner goes on where a checkpoint ends. It says so nowhere before it has done so."""
    return runner._resume


def trains(runner: Runner) -> bool:
    """True if the runner is training: its loop is a config, or None, until it does."""
    return not (runner._train_loop is None or isinstance(runner._train_loop, dict))


def start_from_checkpoint(runner: Runner) -> None:
    """Takes weights alone from the runner's checkpoint, and does not resume: there is no such option by then."""
    runner._resume = False


def resume_from(runner: Runner, path: str) -> None:
    """Resumes from a checkpoint, whatever `load_from` says: likewise."""
    runner._load_from = path


def train_dataloader_config(runner: Runner) -> Any:
    """The config of the training data, or a data loader if the runner was given one; it is nowhere else."""
    return runner._train_dataloader


def optim_wrappers(runner: Runner) -> list[Any]:
    """The wrappers of a runner's optimisers, whether it has one or a dict of them."""
    from mmengine.optim import OptimWrapperDict

    wrappers = runner.optim_wrapper
    return list(wrappers.values()) if isinstance(wrappers, OptimWrapperDict) else [wrappers]


def accumulated_steps(wrapper: Any) -> int:
    """Over how many steps an optimiser's wrapper accumulates gradients, which it does not tell."""
    return getattr(wrapper, "_accumulative_counts", 1)


def normalizes(preprocessor: Any) -> bool:
    """True if a data preprocessor takes a mean out; without one it has neither `mean` nor `std`."""
    return getattr(preprocessor, "_enable_normalize", False)


def default_domain(model: Any) -> str:
    """The domain into which MMagic's `Pix2Pix` translates: an argument that it does not keep under a public name."""
    return model._default_domain


def register_state_dict_hook(module: Any, hook: Any) -> None:
    """Calls `hook(module, state_dict, prefix, local_metadata)` when a state dict is made: public since torch 2.5."""
    module._register_state_dict_hook(hook)
