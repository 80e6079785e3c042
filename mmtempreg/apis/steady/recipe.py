"""The training that makes a network steady: itself as teacher, and what a camera gives as the second input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...openmmlab.configs import loss_distance
from ...utils.degradations import gaussian_noise
from .network import Network

SENSOR_NOISE = gaussian_noise(0, 2)
"""What frames differ by if nothing else is known: noise of up to 2 of 255 levels."""

SHIFT = 8
"""Pixels of the scene that the second frame is moved by at most, and places of the grid that the teacher sees from."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a fine-tuning.

    Attributes:
        invents: Whether it invents detail, as those do that were trained with a GAN: predictions are compared so that
            a blur does not win then.
        alpha: Strength of the regularisation.
        rate: Learning rate, which falls to a twentieth.
        crop: Edge of the crops of the scene in pixels.
        batch: Crops in a batch.
        anti_aliased: Whether its strides are.
        steps: How what it sees is made of the scene: configs of transforms.
        seed: Of all random numbers.
    """

    invents: bool
    alpha: float
    rate: float
    crop: int
    batch: int = 8
    anti_aliased: bool = False
    steps: Sequence[Mapping[str, Any]] = (SENSOR_NOISE,)
    seed: int = 0


def recipe_for(network: Network, invents: bool, crop: int, alpha: float | None = None, **about: Any) -> Recipe:
    """The recipe for a network.

    Args:
        network: What is trained.
        invents: Whether it invents detail.
        crop: Edge of the crops of the scene in pixels.
        alpha: Strength of the regularisation; None: what cost little where it was tried.
        about: Other attributes of `Recipe`.
    """
    return Recipe(
        invents=invents,
        alpha=alpha if alpha is not None else (0.5 if invents else 0.8),
        rate=2e-4 if invents else 1e-4,
        crop=crop,
        batch=4 if network.scale > 1 else 8,
        **about,
    )


def steady_model(network: Network, recipe: Recipe, teacher: Path) -> dict[str, Any]:
    """The config of the wrapped model."""
    stock = dict(network.model)
    about: dict[str, Any] = dict(target="teacher", teacher=str(teacher), seed=recipe.seed, alpha=recipe.alpha)
    if recipe.invents:
        stock["pixel_loss"] = dict(type="LocalStatisticsLoss")
        distance: dict[str, Any] = dict(type="RelativeDetailLoss", low_pass=0.0, loss_weight=1.5)
    else:
        about["teacher_shift"] = SHIFT
        distance = loss_distance(stock)
    return dict(
        type="SiameseEditModel",
        model=dict(type="AntiAliasedModel", model=stock) if recipe.anti_aliased else stock,
        transform=dict(type="GivenShift", margin=1.0 if recipe.invents else 4.0),
        regularization=dict(type="TransformInvarianceLoss", distance=distance),
        **about,
    )


def training_config(
    network: Network,
    recipe: Recipe,
    images: Path,
    *,
    listed: Path,
    teacher: Path,
    iterations: int,
    options: Sequence[str] = (),
) -> Config:
    """A config of MMagic that trains: for `tools/train.py`, too.

    Args:
        network: What is trained.
        recipe: How.
        images: Folder of the photographs.
        listed: File that names those to train on.
        teacher: Checkpoint of the network as it came, with the keys of MMagic's model.
        iterations: Length.
        options: Those of `engine.fastest_step.OPTIONS` that are on.
    """
    frames = dict(
        type="TwoFrames",
        crop_size=recipe.crop,
        scale=network.scale,
        shift=SHIFT,
        multiple=2 if network.domain == "ab" else 1,
        zoom_out=0.5,
        steps=[dict(step) for step in recipe.steps],
    )
    keys = dict(data_keys=["moved_img"], meta_keys=["moved_by", "moved_img_channel_order"])
    pipeline = [
        dict(type="Flip", keys=["gt"], flip_ratio=0.5, direction="horizontal"),
        frames,
        dict(type="PackInputs", **keys),
    ]
    layout = [dict(type="AccelerationHook", channels_last=True)] if "channels_last" in options else []
    hooks = ("StrictLoad", "ExactResume", "FiniteLoss", "NormEval")
    optim = "BFloat16OptimWrapper" if "bfloat16" in options else "OptimWrapper"
    return Config(
        dict(
            custom_imports=dict(imports=["mmtempreg"], allow_failed_imports=False),
            default_scope="mmagic",
            load_from=str(teacher),
            model=steady_model(network, recipe, teacher) | dict.fromkeys({"single_pass"} & set(options), True),
            train_dataloader=dict(
                batch_size=recipe.batch,
                num_workers=0,
                drop_last=True,
                sampler=dict(type="InfiniteSampler", shuffle=True),
                dataset=dict(type="PhotographDataset", data_root=str(images), list_file=str(listed), pipeline=pipeline),
            ),
            train_cfg=dict(type="IterBasedTrainLoop", max_iters=iterations),
            optim_wrapper=dict(type=optim, optimizer=dict(type="Adam", lr=recipe.rate, betas=(0.9, 0.99))),
            param_scheduler=dict(type="LinearLR", start_factor=1.0, end_factor=0.05, end=iterations, by_epoch=False),
            default_hooks=dict(
                timer=dict(type="IterTimerHook"),
                logger=dict(type="LoggerHook", interval=10),
                param_scheduler=dict(type="ParamSchedulerHook"),
                checkpoint=dict(
                    type="SafeCheckpointHook", interval=max(1, iterations // 4), by_epoch=False, max_keep_ckpts=1
                ),
                sampler_seed=dict(type="DistSamplerSeedHook"),
            ),
            custom_hooks=[*(dict(type=f"{name}Hook") for name in hooks), *layout],
            log_processor=dict(type="LogProcessor", window_size=10, by_epoch=False),
            model_wrapper_cfg=dict(type="MMDistributedDataParallel", device_ids=None, broadcast_buffers=False),
            randomness=dict(seed=recipe.seed),
        )
    )
