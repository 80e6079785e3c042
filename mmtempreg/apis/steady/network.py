"""The network to be made steady, of a MMagic config or of a Python file, as one kind of thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from torch import Tensor

from ...models.anti_aliasing import without_anti_aliasing
from ...openmmlab.checkpoints import anti_aliased_networks
from ...openmmlab.configs import plain, read_config, stock_model_config, type_name
from ...openmmlab.plain_networks import is_file_of_network
from .checkpoint_form import CheckpointForm, read_form

RANGES = {"0..1": (0.0, 1.0), "0..255": (0.0, 255.0), "-1..1": (-1.0, 1.0)}
"""Black and white as a network sees and gives them."""

CROPS = (96, 128, 192, 256)
"""Edges of crops in pixels of the scene, of which the smallest is taken that the network takes."""

Pictures = Callable[[int], list[tuple[Tensor, Tensor]]]
"""Edge in pixels -> crops as a network sees them, and as they are."""

T = TypeVar("T")

GANS = ("SRGAN", "ESRGAN", "RealESRGAN", "DeblurGanV2")


@dataclass(kw_only=True)
class Network:
    """A network with its weights.

    Attributes:
        model: Config of a stock model of MMagic that runs it.
        prefix: Of its keys in that model's state dict.
        form: Its checkpoint.
        domain: In what its predictions are compared (`meters.DOMAINS`).
        order: Channel order of the images that its pipeline loads.
        scale: How many times as large a picture as it sees it gives.
        found: What was found out, for people.
        strides: How its strides are anti-aliased already (`checkpoints.ANTI_ALIASING`); None: they are not.
    """

    model: dict[str, Any]
    prefix: str
    form: CheckpointForm
    domain: str = "rgb"
    order: str = "RGB"
    scale: int = 1
    found: list[str] = field(default_factory=list)
    strides: dict[str, Any] | None = None

    def build(self, anti_aliased: bool = False) -> Any:
        """The model with its weights, ready for inference; with anti-aliased strides if it has them, or if wanted."""
        from mmagic.registry import MODELS

        init_default_scope("mmagic")
        strides = self.strides or ({} if anti_aliased else None)
        model: Any = MODELS.build(
            self.model if strides is None else dict(type="AntiAliasedModel", model=self.model, **strides)
        )
        self.load(model, self.form.weights())
        return model.eval()

    def load(self, model: Any, weights: Mapping[str, Tensor]) -> None:
        """Gives a model weights by the network's own keys."""
        model.load_state_dict({self.prefix + key: value for key, value in weights.items()}, strict=False)

    def weights(self, model: Any) -> dict[str, Tensor]:
        """The network's weights in a model, by its own keys."""
        state = model.state_dict()
        return {key: state[self.prefix + key].detach().cpu().clone() for key in self.form.keys}


def read_network(
    network: str,
    checkpoint: str | Path,
    pictures: Pictures,
    *,
    options: Mapping[str, Any] | None = None,
    value_range: str | None = None,
    order: str | None = None,
    config_options: Mapping[str, Any] | None = None,
    restores: bool = False,
) -> Network:
    """The network that NETWORK and CHECKPOINT name.

    Args:
        network: Path of a config of MMagic, or `file.py:Name`.
        checkpoint: Its weights, in the form of any training code.
        pictures: Gives some crops of what it sees of a scene, and of the scene, (3, H, W) RGB in [0, 1], by their edge
            in pixels: to find out what it takes and gives.
        options: Arguments of `Name`.
        value_range: A name of `RANGES`; None: found out. Of a config: as it says.
        order: 'RGB' or 'BGR'; likewise.
        config_options: What differs from the config.
        restores: Whether the scene is what is to be predicted: else the network may be there to change it, and that it
            comes near says little of the range.

    Raises:
        FileNotFoundError, ValueError, TypeError: If one is not there or of another kind than it should be, or options
            are of the other kind of network.
    """
    init_default_scope("mmagic")
    if is_file_of_network(network):
        if config_options:
            raise ValueError(f"--cfg-options are of a config, and {network} is none: give --network-options")
        return _of_file(network, checkpoint, pictures, dict(options or {}), value_range, order, restores)
    given = dict(network_options=options, range=value_range, order=order)
    if wrong := [name for name, value in given.items() if value]:
        raise ValueError(f"--{wrong[0].replace('_', '-')} is for a network of a Python file: the config says it")
    return _of_config(network, checkpoint, pictures, config_options)


def _of_config(path: str, checkpoint: str | Path, pictures: Pictures, options: Any) -> Network:
    from mmagic.registry import MODELS

    from ...models.siamese import SiameseEditModel
    from ...models.siamese.families import EditFamily, family_of

    config = read_config(path, options)
    stock = plain(stock_model_config(config))
    model = without_anti_aliasing(stock)
    name = type_name(model)
    if name in GANS:
        # itself as teacher needs no discriminator
        generator, preprocessor = model["generator"], model.get("data_preprocessor")
        model = dict(type="BaseEditModel", generator=generator, pixel_loss=dict(type="L1Loss"))
        model |= dict(data_preprocessor=preprocessor) if preprocessor else {}
    kind = MODELS.get(model["type"]) if isinstance(model["type"], str) else model["type"]
    if kind is None or family_of(kind) is not EditFamily:
        raise TypeError(
            f"{path}: a {name} has more to be trained than a network that maps an image; wrap its config by hand "
            f"({SiameseEditModel.__name__}, docs/use_your_own_config.md)"
        )
    built: Any = MODELS.build(dict(model))
    form = read_form(checkpoint, built.generator.state_dict())
    domain = "log" if hasattr(built.data_preprocessor, "destruct_radiance") else "rgb"
    domain = "ab" if name == "ColorizationModel" else domain
    from ..frame_model import pipeline_order

    strides = next(iter(anti_aliased_networks(form.holds).values()), None)
    if strides is None and type_name(stock) == "AntiAliasedModel":
        strides = {name: value for name, value in stock.items() if name not in ("type", "_scope_", "model")}
    made = Network(
        model=model,
        prefix="generator.",
        form=form,
        domain=domain,
        order=pipeline_order(config),
        found=[form.note()],
        strides=strides,
    )
    made.scale = _with_smallest_crop(partial(_scale, made.build(), pictures))[0]
    return made


def _of_file(
    text: str,
    checkpoint: str | Path,
    pictures: Pictures,
    options: dict[str, Any],
    value_range: str | None,
    order: str | None,
    restores: bool,
) -> Network:
    from ...models.network_of_file import NetworkOfFile

    file, _, name = text.rpartition(":")
    generator: dict[str, Any] = dict(type="NetworkOfFile", file=str(Path(file).resolve()), name=name)
    generator |= dict(options=options) if options else {}
    network = NetworkOfFile(file, name, options=options)
    form = read_form(checkpoint, network.state_dict())
    network.load_state_dict(form.weights())
    ranges = [value_range] if value_range else list(RANGES)
    tries, _ = _with_smallest_crop(lambda edge: _tries(network.eval(), pictures(edge), ranges, order))
    best = _likeliest(tries, restores)
    tried, found = tries.psnr, [form.note()]
    if value_range is None:
        same = {key[0]: value for key, value in tried.items() if key[1] == best[1]}
        found.append(_clear("range", best[0], same, certain=tries.bounds == best[0]))
    if order is None:
        found.append(_clear("order", best[1], {key[1]: value for key, value in tried.items() if key[0] == best[0]}))
    if best[0] != "0..1":
        generator |= dict(value_range=RANGES[best[0]])
    preprocessor = dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, output_channel_order=best[1])
    model = dict(
        type="BaseEditModel", generator=generator, pixel_loss=dict(type="MSELoss"), data_preprocessor=preprocessor
    )
    made = Network(model=model, prefix="generator.", form=form, found=found)
    made.scale = _with_smallest_crop(partial(_scale, made.build(), pictures))[0]
    return made


def _scale(model: Any, pictures: Pictures, edge: int) -> int:
    """Finds a model's scale by running it: the size of its picture over that of its input.

    Raises:
        ValueError: If it takes no RGB picture, or gives none of a whole multiple of its size.
    """
    from ..frame_model import FrameModel

    frames = FrameModel.of_model(model)
    with torch.no_grad():
        out = frames(pictures(edge)[0][0][None])
    if out.shape[1] != 3:
        raise ValueError(f"the network gives {out.shape[1]} channels; RGB pictures are needed")
    return frames.scale


def smallest_edge(model: Any, scale: int) -> int:
    """The smallest edge of `CROPS` that a model takes in training.

    Args:
        model: Of MMagic.
        scale: How many times as large a picture as it sees it gives.

    Raises:
        ValueError: If it takes none.
    """

    def run(edge: int) -> None:
        if edge % scale:
            raise ValueError(f"{edge} is no multiple of {scale}")
        small = (edge // scale,) * 2
        with torch.no_grad():
            model.forward_tensor(torch.rand(2, 3, *small, device=next(model.parameters()).device), None)

    try:
        return _with_smallest_crop(run)[1]
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ValueError(f"the network takes no crops of {CROPS} pixels") from error


def _with_smallest_crop(run: Callable[[int], T]) -> tuple[T, int]:
    """Result of `run` for the first edge of `CROPS` that does not fail, and that edge; raises as the last."""
    for edge in CROPS:
        try:
            return run(edge), edge
        except (RuntimeError, ValueError, AssertionError):
            if edge == CROPS[-1]:
                raise
    raise AssertionError("CROPS is empty")


class Tries(NamedTuple):
    """What a network makes of scenes, for each range and order that it may want.

    Attributes:
        psnr: Range and order -> dB to the scene; -inf of NaN.
        lowest, highest: Of what it gives for values far out of all ranges.
        enlarges: Whether its pictures are larger than what it sees.
    """

    psnr: dict[tuple[str, str], float]
    lowest: float
    highest: float
    enlarges: bool

    @property
    def bounds(self) -> str | None:
        """The range that no output leaves, even of input that does: the network ends with tanh, sigmoid or clamps."""
        for name, (black, white) in RANGES.items():
            slack = 0.01 * (white - black)
            inside = black - slack <= self.lowest and self.highest <= white + slack
            if inside and self.highest - self.lowest > (white - black) / 2:
                return name
        return None


def _tries(
    network: torch.nn.Module, pictures: Sequence[tuple[Tensor, Tensor]], ranges: Sequence[str], order: str | None
) -> Tries:
    """Runs a network in each range and order that it may want.

    A network that restores or enhances leaves a picture recognisable if it gets what it expects.

    Raises:
        ValueError: If it takes no (N, 3, H, W), or gives no such picture.
    """
    psnr: dict[tuple[str, str], float] = {}
    enlarges = False
    for name in ranges:
        black, white = RANGES[name]
        for channels in [order] if order else ["RGB", "BGR"]:
            errors = []
            for seen, scene in pictures:
                x, y = (image[None] if channels == "RGB" else image[None].flip(1) for image in (seen, scene))
                out = _picture_of(network, x * (white - black) + black)
                enlarges |= out.shape[-1] > x.shape[-1]
                shown = F.interpolate((out - black) / (white - black), y.shape[-2:], mode="area")
                errors.append((shown - y).square().mean())
            error = float(torch.stack(errors).mean())
            psnr[name, channels] = -math.inf if math.isnan(error) else -10 * math.log10(error) if error else math.inf
    beyond = _picture_of(network, 255 * (4 * pictures[0][0][None] - 1))
    return Tries(psnr, float(beyond.min()), float(beyond.max()), enlarges)


def _picture_of(network: torch.nn.Module, x: Tensor) -> Tensor:
    """What a network makes of a picture (1, 3, H, W).

    Raises:
        ValueError: As `_tries`.
    """
    try:
        with torch.no_grad():
            out = network(x)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        size = f"{x.shape[-1]}x{x.shape[-2]}"
        raise ValueError(f"the network takes no RGB picture (1, 3, H, W) of {size} pixels: {reason}") from error
    if not isinstance(out, Tensor) or out.ndim != 4 or out.shape[1] != 3:
        what = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(f"the network gives {what} for (1, 3, H, W): a picture (1, 3, sH, sW) is needed")
    return out


CLEARLY = 3.0
"""dB that a range or an order that is unusual must be ahead by."""

PLAUSIBLE = 15.0
"""dB to the scene of what may be a network's work on it, if that is to change it: sharper, brighter, with more
contrast."""


def _likeliest(tries: Tries, restores: bool) -> tuple[str, str]:
    """The first range and order, unless another one is ahead clearly: each comes before those that are less usual.

    A range in which a network changes nothing is near the scene too. So unless it restores the scene, the range counts
    that its output never leaves; else an unusual one must be ahead of what is not even plausible.
    """
    restores |= tries.enlarges
    bounded = {key: value for key, value in tries.psnr.items() if key[0] == tries.bounds and not restores}
    tried = bounded or tries.psnr
    best = next(iter(tried))
    for key, value in tried.items():
        ahead = value > tried[best] + CLEARLY
        if ahead and (restores or key[0] == best[0] or tried[best] < PLAUSIBLE):
            best = key
    return best


def _clear(what: str, best: Any, tried: Mapping[Any, float], certain: bool = False) -> str:
    came = "tried, PSNR to the scene: " + ", ".join(f"{key} {value:.1f} dB" for key, value in tried.items())
    others = [value for key, value in tried.items() if key != best]
    if others and not certain and not tried[best] - max(others) >= CLEARLY:  # nan of two that are both perfect
        usual = f"; {best} is usual" * (tried[best] < max(others))
        return f"{what}: {best}, a guess ({came}{usual}): give --{what} if it is wrong"
    why = "; its output never leaves that" * certain
    return f"{what}: {best}, found by trying ({came}{why})"
