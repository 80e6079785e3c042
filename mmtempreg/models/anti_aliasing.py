"""Anti-aliased strides and pooling, with the weights that a network has (Zhang 2019, "Making Convolutional Networks
Shift-Invariant Again").

A stride samples. What the coarser grid cannot hold is folded into it, differently for each phase of the picture on the
grid: when the camera moves by a pixel, the prediction changes. With a low-pass before the sampling it does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..functional.antialias import TAPS, check_taps, low_pass
from ..openmmlab.checkpoints import ANTI_ALIASING, anti_aliased_networks
from ..openmmlab.configs import type_name
from ..openmmlab.internals import register_state_dict_hook
from ..utils.validation import check_arguments
from .networks import networks_of


class AntiAliasedMaxPool2d(nn.Module):
    """Max-pooling without aliasing: the maximum at stride 1, then `low_pass` at the stride. It has no weights.

    Outputs stand where those of the pooling stand that it replaces, and there are as many.

    Args:
        pool: What it replaces.
        taps: Of the filter, `functional.antialias`.

    Raises:
        ValueError: If `pool` gives indices: a filtered maximum stands at none.
    """

    def __init__(self, pool: nn.MaxPool2d, taps: int = TAPS) -> None:
        super().__init__()
        if pool.return_indices:
            raise ValueError("it gives indices (return_indices=True), and a filtered maximum stands at none")
        self.kernel, self.stride = _pair(pool.kernel_size), _pair(pool.stride)
        self.padding, self.dilation = _pair(pool.padding), _pair(pool.dilation)
        self.ceil_mode, self.taps = pool.ceil_mode, taps

    def forward(self, input: Tensor) -> Tensor:  # as nn.MaxPool2d calls it
        """(N, C, H, W), or (C, H, W), to the pooled map of the size that `nn.MaxPool2d` gives."""
        if input.ndim == 3:
            return self(input.unsqueeze(0)).squeeze(0)
        if self.ceil_mode:
            input = F.pad(input, self._beyond(input), value=-torch.inf)
        return low_pass(self._maxima(input), self.stride, self.taps, sample=True)

    def _beyond(self, x: Tensor) -> tuple[int, int, int, int]:
        """Padding that the last window needs to the right and below, for `F.pad`."""
        added = []
        for length, kernel, stride, pad, dilation in zip(
            x.shape[-2:], self.kernel, self.stride, self.padding, self.dilation
        ):
            room = length + 2 * pad - dilation * (kernel - 1) - 1
            last = -(-room // stride) * stride
            if last >= length + pad:  # a window that begins beyond the image does not count
                last -= stride
            added.append(max(last - room, 0))
        return 0, added[1], 0, added[0]

    def _maxima(self, x: Tensor) -> Tensor:
        """Over the windows, at stride 1."""
        lengths = [n - d * (k - 1) for n, k, d in zip(x.shape[-2:], self.kernel, self.dilation)]
        if (torch.is_grad_enabled() and x.requires_grad) or any(self.padding) or min(lengths) < 1:
            return F.max_pool2d(x, self.kernel, 1, self.padding, self.dilation)
        # A few times as fast on a CPU, but not its gradient.
        for axis, length, kernel, dilation in zip((-2, -1), lengths, self.kernel, self.dilation):
            x = reduce(torch.maximum, [x.narrow(axis, i * dilation, length) for i in range(kernel)])
        return x

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, stride={self.stride}, taps={self.taps}"


class LowPassInput:
    """A forward pre-hook (`with_kwargs`) that filters what a module with a stride is about to sample.

    Convolution and average are linear: to filter their input is to run them at stride 1 and to filter what they give,
    up to the border, at a fraction of the cost. Weights, keys and the phase of the sampling stay.
    """

    def __init__(self, strides: tuple[int, int], taps: int) -> None:
        self.strides, self.taps = strides, taps

    def __call__(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if args:
            return (self._filtered(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "input": self._filtered(kwargs["input"])}

    def _filtered(self, x: Tensor) -> Tensor:
        filtered = low_pass(x if x.ndim == 4 else x.unsqueeze(0), self.strides, self.taps)
        return filtered if x.ndim == 4 else filtered.squeeze(0)


class Strided(NamedTuple):
    """A module that samples.

    Attributes:
        name: In the network.
        module: Itself.
        strides: (vertical, horizontal).
    """

    name: str
    module: nn.Module
    strides: tuple[int, int]

    def __str__(self) -> str:
        steps = "x".join(map(str, sorted(set(self.strides), reverse=True)))
        return f"{self.name} ({type(self.module).__name__}, stride {steps})"


LINEAR = (nn.Conv2d, nn.AvgPool2d)
"""What can be anti-aliased by a filter before it."""


def strided_modules(network: nn.Module) -> list[Strided]:
    """The modules of a network that sample and can be anti-aliased, in the order of its definition."""
    found = []
    for name, module in network.named_modules():
        if isinstance(module, (*LINEAR, nn.MaxPool2d)):
            strides = _pair(module.stride)
            if max(strides) > 1 and not _filtered(module):
                found.append(Strided(name, module, strides))
    return found


def anti_alias(network: nn.Module, taps: int = TAPS, *, keep: Sequence[str] = (), name: str = "") -> list[Strided]:
    """Anti-aliases the strides of a network, in place: parameters and keys stay as they are.

    `nn.MaxPool2d` becomes `AntiAliasedMaxPool2d`; `nn.AvgPool2d` and strided `nn.Conv2d` (also inside mmcv's
    `ConvModule`) get a `LowPassInput`. The metadata of its state dict tells that it has another forward
    (`checkpoints`).

    Args:
        network: Any.
        taps: Of the filter at stride 2, odd: 3, or 5 for more.
        keep: Names of modules in it that stay as they are, with all below them.
        name: Of the network itself, in front of its modules' in messages and in what is returned.

    Returns:
        What was anti-aliased.

    Raises:
        ValueError: If a pooling gives indices or is the network itself, `keep` names what is not there, or `taps` is
            even.
    """
    check_taps(taps)
    prefix = f"{name}." if name else ""
    names = {module for module, _ in network.named_modules()}
    if unknown := [module for module in keep if module not in names]:
        raise ValueError(f"keep names {prefix + unknown[0]!r}, which {type(network).__name__} does not have")
    changed = [one for one in strided_modules(network) if not _within(one.name, keep)]
    replaced: dict[nn.Module, nn.Module] = {}
    for one in changed:
        if isinstance(one.module, nn.MaxPool2d):
            try:
                replaced[one.module] = AntiAliasedMaxPool2d(one.module, taps)
            except ValueError as error:
                raise ValueError(
                    f"{prefix}{one} cannot be anti-aliased: {error}; leave it out with keep=[{prefix + one.name!r}]"
                ) from None
    if network in replaced:
        raise ValueError(f"{type(network).__name__} is a pooling itself: anti-alias the network that it is in")
    for one in changed:  # nothing is changed before all can be
        if one.module not in replaced:
            one.module.register_forward_pre_hook(LowPassInput(one.strides, taps), with_kwargs=True)
    for parent in list(network.modules()):
        for child, module in list(parent._modules.items()):  # a pooling may stand in several places, even of one parent
            if module in replaced:
                setattr(parent, child, replaced[module])
    if changed and not hasattr(network, ANTI_ALIASING):
        setattr(network, ANTI_ALIASING, dict(taps=taps, **(dict(keep=list(keep)) if keep else {})))
        register_state_dict_hook(network, _say_so)
    return [one._replace(name=prefix + one.name) for one in changed]


def _say_so(module: nn.Module, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    local_metadata[ANTI_ALIASING] = getattr(module, ANTI_ALIASING)


def mapping_networks(model: nn.Module) -> dict[str, nn.Module]:
    """The networks of a MMagic model that map images, by their names in it; with what it averages of them.

    Raises:
        ValueError: If it has none.
    """
    names = {id(module): name for name, module in model.named_modules()}
    found = list(networks_of(model))
    average = getattr(model, "generator_ema", None)  # what RealESRGAN predicts with
    return {names[id(network)]: network for network in [*found, *([average] if isinstance(average, nn.Module) else [])]}


def anti_alias_model(model: nn.Module, taps: int = TAPS, keep: Sequence[str] = ()) -> list[Strided]:
    """Anti-aliases the networks of a MMagic model that map images; discriminators and losses stay as they are.

    Args:
        model: MMagic's.
        taps: As in `anti_alias`.
        keep: Names of modules, with those of their networks before them: 'generator.pool1'.

    Returns:
        What was anti-aliased, with its name in the model.

    Raises:
        ValueError: As `anti_alias`, or if there is nothing to anti-alias.
    """
    networks = mapping_networks(model)
    changed: list[Strided] = []
    missed: list[str] = []
    kind = type(model).__name__
    if astray := [name for name in keep if not any(_within(name, [network]) for network in networks)]:
        raise ValueError(f"keep names {astray[0]!r}, which is in none of the networks of {kind}: {', '.join(networks)}")
    if filtered := [name for name, network in networks.items() if hasattr(network, ANTI_ALIASING)]:
        raise ValueError(f"the strides of {filtered[0]} of this {kind} are anti-aliased already")
    for name, network in networks.items():
        if name not in keep:
            own = [kept.removeprefix(f"{name}.") for kept in keep if kept.startswith(f"{name}.")]
            changed += anti_alias(network, taps, keep=own, name=name)
            missed += [f"{name}.{text}" for text in looked_for_sampling(name, network)]
    if missed:
        text = "not anti-aliased, since it samples outside of the modules that can be"
        print_log(f"{text}: {'; '.join(missed)}", "current", logging.WARNING)
    if not changed:
        raise ValueError(
            f"{kind} has no nn.MaxPool2d, nn.AvgPool2d or strided nn.Conv2d to anti-alias"
            f"{' but for what was named in keep' if keep else ''}: leave AntiAliasedModel out"
        )
    print_log(f"anti-aliased with {taps} taps: {', '.join(map(str, changed))}", "current")
    return changed


def restore_strides(model: nn.Module, checkpoint: Mapping[str, Any]) -> None:
    """Gives the networks of a model the strides that those of a checkpoint were trained with.

    Args:
        model: MMagic's, with nothing anti-aliased.
        checkpoint: What a file holds.
    """
    if trained := anti_aliased_networks(checkpoint):
        for name, network in mapping_networks(model).items():
            if name in trained:
                anti_alias(network, **trained[name])


@check_arguments
def anti_aliasing_options(model: Mapping, taps: int = TAPS, keep: Sequence[str] = ()) -> tuple[Mapping, dict[str, Any]]:
    """The arguments of `AntiAliasedModel`, checked: the config of the model, and those of `anti_alias_model`."""
    return model, dict(taps=int(taps), keep=list(keep))


@MODELS.register_module()
def AntiAliasedModel(model: Mapping, taps: int = TAPS, keep: Sequence[str] = ()) -> Any:
    """Builds a stock model and anti-aliases the strides and pooling of its networks.

    What comes out is the stock model, of its own class, with its own keys: a checkpoint loads, and trains on. It stands
    around a stock model, inside `SiameseEditModel` or around that.

        model = dict(type='AntiAliasedModel', model={{_base_.model}})

    Args:
        model: Config of a stock model, or of `SiameseEditModel`.
        taps: Length of the low-pass at stride 2, odd: 3 (1 2 1), or 5 for more steadiness and a softer picture.
        keep: Names of modules that stay as they are: 'generator.pool1'.

    Raises:
        ValueError: If there is nothing to anti-alias, a pooling gives indices, `keep` names what is not there, or
            `taps` is even or below 3.
    """
    model, options = anti_aliasing_options(model, taps, keep)
    with MODELS.switch_scope_and_registry(model.get("_scope_")):
        built = MODELS.build(dict(model))
    anti_alias_model(built, **options)
    return built


def without_anti_aliasing(model: Mapping) -> dict[str, Any]:
    """The config of a model, with nothing anti-aliased in it."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            if type_name(value) == "AntiAliasedModel":
                return plain(value["model"])
            return {name: plain(v) for name, v in value.items() if name != "anti_aliased"}
        return type(value)(map(plain, value)) if isinstance(value, list | tuple) else value

    return plain(model)


# ------------------------------------------------------------------ what cannot be replaced


SAMPLING = {
    "max_pool2d",
    "_max_pool2d",
    "max_pool2d_with_indices",
    "avg_pool2d",
    "lp_pool2d",
    "fractional_max_pool2d",
    "adaptive_max_pool2d",
    "adaptive_avg_pool2d",
    "conv2d",
    "interpolate",
    "pixel_unshuffle",
    "__getitem__",
}
"""Functions of torch that give a map of fewer pixels."""


def looked_for_sampling(name: str, network: nn.Module) -> list[str]:
    """`functional_sampling`; none, and a line in the log, where the network cannot be looked into like that."""
    try:
        return functional_sampling(network)
    except RuntimeError as error:
        print_log(f"whether {name} samples outside of modules too is not known: {error}", "current")
        return []


def functional_sampling(network: nn.Module, size: int = 64) -> list[str]:
    """Names functions that sample outside of the modules that can be anti-aliased.

    The network is run once on noise, without gradients and in evaluation mode. Sampling by reshaping is not seen.

    Args:
        network: From (1, C, size, size), C as its first convolution has it.
        size: Edge of the input in pixels.

    Returns:
        'conv1: max_pool2d' and the like.

    Raises:
        RuntimeError: If it does not run like that.
    """
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        return []
    training = {module: module.training for module in network.modules()}
    recorder = _Recorder()
    hooks = [handle for name, module in network.named_modules() for handle in recorder.follow(name, module)]
    try:
        network.eval()
        with torch.random.fork_rng(devices=[]), torch.no_grad(), recorder:
            network(torch.rand(1, first.in_channels, size, size).to(first.weight))
    except Exception as error:  # networks raise what they like
        shape = (first.in_channels, size, size)
        raise RuntimeError(f"it does not run on an image of {shape} ({' '.join(str(error).split())[:200]})") from error
    finally:
        for module, mode in training.items():
            module.training = mode
        for handle in hooks:
            handle.remove()
    return list(dict.fromkeys(recorder.found))


class _Recorder(TorchFunctionMode):
    """Notes functions that make maps smaller by half or more, and in which module."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[tuple[str, nn.Module]] = []

    def follow(self, name: str, module: nn.Module) -> Iterator[Any]:
        """Hooks that tell where the network is."""
        yield module.register_forward_pre_hook(lambda *_: self._inside.append((name, module)), prepend=True)
        yield module.register_forward_hook(lambda *_: self._inside.pop() and None)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name, module = self._inside[-1] if self._inside else ("", None)
        handled = isinstance(module, (*LINEAR, nn.MaxPool2d, AntiAliasedMaxPool2d))
        what = getattr(func, "__name__", "")
        if what in SAMPLING and not handled and args and _halved(args[0], out):
            what = "a slice with a step" if what == "__getitem__" else what.strip("_")
            self.found.append(f"{name or 'forward'}: {what}")
        return out


def _halved(before: Any, after: Any) -> bool:
    """True if a map has lost half of its pixels or more each way, and is not a single one."""
    if not (isinstance(before, Tensor) and isinstance(after, Tensor) and before.ndim == after.ndim >= 3):
        return False
    sizes = [(b, a) for b, a in zip(before.shape[-2:], after.shape[-2:])]
    return all(1 < 2 * a <= b + 1 for b, a in sizes) and any(a > 1 for _, a in sizes)


def _within(name: str, keep: Sequence[str]) -> bool:
    return any(name == kept or name.startswith(kept + ".") for kept in keep)


def _filtered(module: nn.Module) -> bool:
    return any(isinstance(hook, LowPassInput) for hook in module._forward_pre_hooks.values())


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
