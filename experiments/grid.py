"""Grid of a sweep: tasks, strategies, and the cells that they make with strengths and seeds.

A cell is a config of `configs/tempreg` with some options, fine-tuned from the task's baseline and tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config


ROOT = Path(__file__).resolve().parents[1]

ALPHAS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""The strengths of the paper's Figures 4 and 5."""

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Strategy:
    """A way to fine-tune.

    Attributes:
        title: In tables and plots.
        config: Name in `configs/tempreg`, without the task. None: the baseline, which is not trained.
        alphas: Strengths to run it with; empty: the strength is not a parameter of it.
        options: What differs from the config, as in `Config.merge_from_dict`.
        anti_aliased: Whether its strides are; None: as the config says.
        between: Two cells, NAME or NAME=ALPHA, whose weights it lies between: alpha is the share of the second.
    """

    title: str
    config: str | None
    alphas: tuple[float, ...] = ()
    options: Options = field(default_factory=dict)
    anti_aliased: bool | None = None
    between: tuple[str, str] | None = None

    def with_strides(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """The config of a model, with anti-aliased strides or without, as the strategy wants them."""
        from mmengine.config import Config

        from mmtempreg.openmmlab.configs import stock_model_config, type_name

        if self.anti_aliased is None:
            return dict(model)
        from mmtempreg.models.anti_aliasing import without_anti_aliasing  # slow

        stock = without_anti_aliasing(stock_model_config(Config(dict(model=dict(model)))))
        wanted = dict(type="AntiAliasedModel", model=stock) if self.anti_aliased else stock
        return {**model, "model": wanted} if type_name(model) == "SiameseEditModel" else wanted


STRATEGIES = {
    "baseline": Strategy("baseline", None),
    "finetune": Strategy("plain fine-tuning", "finetune"),
    "augment": Strategy("augmentation", "augment"),
    "stability_noise": Strategy("stability, noise", "stability_noise_a0.8", ALPHAS),
    "stability": Strategy("stability, motion", "stability_a0.8", ALPHAS),
    "transinv": Strategy("transform invariance", "transinv_a0.8", ALPHAS),
    "jacobian": Strategy("sparse Jacobian", "jacobian_a0.95", ALPHAS),
}
"""The paper's (section 4.2)."""

_AFFINE: dict[str, Any] = dict(type="RandomAffine")
_NOISE: dict[str, Any] = dict(type="RandomGaussianNoise", sigma=(0, 0.02))
_LOCAL: dict[str, Any] = dict(type="RandomElastic", displacement=4)


def _pair(*transforms: dict) -> Options:
    return {"model.transform": dict(_delete_=True, type="Compose", transforms=list(transforms))}


def _losses(*names: str) -> Options:
    losses = [dict(type=name) for name in names]
    return {"model.regularization": dict(_delete_=True, type="CombinedRegularizationLoss", losses=losses)}


def _clip(num_frames: int) -> Options:
    return {
        "model.regularization": dict(_delete_=True, type="TemporalResidualLoss"),
        "model.num_transforms": num_frames - 1,
        "model.motion": "path",
    }


_L1: Options = {"model.regularization.distance": dict(type="L1Loss")}
# as far as a camera moves in a second
_FAR: dict[str, Any] = dict(type="RandomAffine", translate=24.0, rotate=4.0, zoom=0.1, shear=2.0)
_MIXED: Options = {
    "model.transform": dict(_delete_=True, type="RandomChoice", transforms=[_AFFINE, _FAR], weights=[3, 1])
}
_HOOKS = [dict(type=f"{name}Hook") for name in ("StrictLoad", "ExactResume", "FiniteLoss")]
_BATCH: Options = {"custom_hooks": [*_HOOKS, dict(type="AccelerationHook", channels_last=True)]}  # no NormEvalHook
_CHARBONNIER: Options = {"model.regularization.distance": dict(type="CharbonnierLoss")}


VARIANTS = {
    "finetune_batch": Strategy("plain fine-tuning, statistics of the batch", "finetune", options=_BATCH),
} | {
    name: Strategy(title, config, (0.5, 0.8, 0.95), options)
    for name, title, config, options in [
        ("transinv_l1", "transform invariance, L1", "transinv_a0.8", _L1),
        ("transinv_batch", "transform invariance, statistics of the batch", "transinv_a0.8", _BATCH),
        ("transinv_mixed", "transform invariance, small and large motion", "transinv_a0.8", _MIXED),
        ("transinv_l1_mixed", "transform invariance, L1, small and large motion", "transinv_a0.8", {**_L1, **_MIXED}),
        (
            "transinv_far",
            "transform invariance, large motion",
            "transinv_a0.8",
            {"model.transform": dict(_delete_=True, **_FAR)},
        ),
        ("transinv_large", "transform invariance, T x 2", "transinv_a0.8", {"model.transform.scale": 2.0}),
        ("transinv_local", "transform invariance, local motion", "transinv_a0.8", _pair(_AFFINE, _LOCAL)),
        (
            "transinv_l1_local",
            "transform invariance, L1, local motion",
            "transinv_a0.8",
            {**_L1, **_pair(_AFFINE, _LOCAL)},
        ),
        ("transinv_noise", "transform invariance, noise", "transinv_a0.8", _pair(_AFFINE, _NOISE)),
        ("transinv_two", "transform invariance, two T", "transinv_a0.8", {"model.num_transforms": 2}),
        (
            "transinv_augment",
            "transform invariance + Eq. 5",
            "transinv_a0.8",
            _losses("TransformInvarianceLoss", "AugmentationLoss"),
        ),
        ("jacobian_l1", "sparse Jacobian, L1", "jacobian_a0.95", _L1),
        ("jacobian_l1_large", "sparse Jacobian, L1, T x 2", "jacobian_a0.95", {**_L1, "model.transform.scale": 2.0}),
        ("jacobian_l1_larger", "sparse Jacobian, L1, T x 4", "jacobian_a0.95", {**_L1, "model.transform.scale": 4.0}),
        ("jacobian_l1_local", "sparse Jacobian, L1, local motion", "jacobian_a0.95", {**_L1, **_pair(_AFFINE, _LOCAL)}),
        (
            "jacobian_l1_large_local",
            "sparse Jacobian, L1, T x 2, local motion",
            "jacobian_a0.95",
            {**_L1, **_pair({**_AFFINE, "scale": 2.0}, _LOCAL)},
        ),
        ("jacobian_charbonnier", "sparse Jacobian, Charbonnier", "jacobian_a0.95", _CHARBONNIER),
        ("jacobian_large", "sparse Jacobian, T x 2", "jacobian_a0.95", {"model.transform.scale": 2.0}),
        ("jacobian_local", "sparse Jacobian, local motion", "jacobian_a0.95", _pair(_AFFINE, _LOCAL)),
        ("jacobian_noise", "sparse Jacobian, noise", "jacobian_a0.95", _pair(_AFFINE, _NOISE)),
        (
            "jacobian_exposure",
            "sparse Jacobian, exposure",
            "jacobian_a0.95",
            _pair(_AFFINE, dict(type="RandomExposure")),
        ),
        ("jacobian_two", "sparse Jacobian, two T", "jacobian_a0.95", {"model.num_transforms": 2}),
        (
            "jacobian_augment",
            "sparse Jacobian + Eq. 5",
            "jacobian_a0.95",
            _losses("SparseJacobianLoss", "AugmentationLoss"),
        ),
        (
            "transinv_jacobian",
            "transform invariance + sparse Jacobian",
            "jacobian_a0.95",
            _losses("TransformInvarianceLoss", "SparseJacobianLoss"),
        ),
        ("photographed_twice", "HDR images, shifted and photographed again", "transinv_a0.8_twice", {}),
        (
            "photographs_shifted",
            "photographs of HDR images, shifted",
            "transinv_a0.8_twice",
            {"model.transform": dict(_delete_=True, type="RandomAffine", translate=4, rotate=0, zoom=0, shear=0)},
        ),
        ("clip3", "pseudo-clips of 3 frames", "jacobian_a0.95", _clip(3)),
        ("clip5", "pseudo-clips of 5 frames", "jacobian_a0.95", _clip(5)),
        (
            "clip3_local_noise",
            "pseudo-clips of 3, local motion, noise",
            "jacobian_a0.95",
            {**_clip(3), **_pair(_AFFINE, _LOCAL, _NOISE)},
        ),
    ]
}
"""What the paper leaves open (section 6), each as a change of one of its strategies."""

_SHIFTS: Options = {"model.target": "truth", "model.teacher": None, "model.teacher_shift": 0}
_NO_NOISE: Options = {"model.transform": dict(_delete_=True, type="RandomShift", max_shift=8, multiple=2)}

CAUSES = {
    "baseline_aa": Strategy("anti-aliased, nothing trained", None, anti_aliased=True),
    "scratch_aa": Strategy("anti-aliased, from scratch", "baseline_anti_aliased", options={"load_from": None}),
    "finetune_aa": Strategy("anti-aliased, plain fine-tuning", "finetune", anti_aliased=True),
    "transinv_aa": Strategy("anti-aliased, transform invariance", "transinv_a0.8", (0.8, 0.95), anti_aliased=True),
    "taught": Strategy("to the frozen original", "anti_aliased", anti_aliased=False),
    "taught_aa": Strategy("anti-aliased, to the frozen original", "anti_aliased"),
    "shifts": Strategy("whole pixels", "steady_a0.95", (0.8, 0.95), {**_SHIFTS, **_NO_NOISE}, anti_aliased=False),
    "shifts_aa": Strategy("anti-aliased, whole pixels", "steady_a0.95", (0.8, 0.95), {**_SHIFTS, **_NO_NOISE}),
    "steady": Strategy("steady", "steady_a0.95", (0.8, 0.95), anti_aliased=False),
    "steady_aa": Strategy("anti-aliased, steady", "steady_a0.95", (0.8, 0.95)),
    "steady_between": Strategy(
        "between these two",
        None,
        (0.25, 0.5, 0.75),
        anti_aliased=True,
        between=("taught_aa", "steady_aa=0.95"),
    ),
}
"""Where flicker comes from, and what a camera gives: anti-aliased strides, whole pixels, the network as teacher."""

KNOWN = {**STRATEGIES, **VARIANTS, **CAUSES}
"""All of them."""


@dataclass(frozen=True)
class Task:
    """An application of the paper.

    Attributes:
        test_config: Config that tests a checkpoint.
        prefixes: What its metrics begin with, one for each set of clips, with its title.
        schedules: Name -> options of the training. 'full' is what the configs say.
        tests: The same of the test.
    """

    test_config: str
    prefixes: Mapping[str, str]
    schedules: Mapping[str, Options]
    tests: Mapping[str, Options]

    @staticmethod
    def baseline(name: str) -> Path:
        """The checkpoint that all is fine-tuned from."""
        return ROOT / "checkpoints" / f"{name}_baseline.pth"


def _short_hdr(images: int, epochs: int, gamma: float) -> Options:
    """Batches of 8 crops of 64x64, the learning rate x `gamma` each."""
    return {
        "train_dataloader.dataset.pipeline.0.crop_size": (64, 64),
        "train_dataloader.dataset.indices": images,
        "train_dataloader.batch_size": 8,
        "train_dataloader.num_workers": 0,  # it is a fiftieth of a step, and a sweep runs a cell on each core
        "train_dataloader.persistent_workers": False,
        "train_cfg.max_epochs": epochs,
        "train_cfg.val_interval": epochs + 1,
        "optim_wrapper.optimizer.lr": 1e-4,
        "param_scheduler.by_epoch": False,
        "param_scheduler.gamma": gamma,
    }


TASKS = {
    "hdr": Task(
        "hdr_evaluation",
        {
            "procedural": "procedural clips",
            "validation": "pans over HDR panoramas, validation",
            "pans": "pans over other HDR panoramas",
        },
        dict(
            full={},
            # 300, 1,000, 3,000 and 10,000 iterations, over which the learning rate falls alike
            short=_short_hdr(2400, 1, 0.99),
            medium=_short_hdr(8000, 1, 0.997),
            long=_short_hdr(8000, 3, 0.999),
            longest=_short_hdr(8000, 10, 0.9997),
        ),
        dict(
            full={},
            short={
                "test_dataloader.0.dataset.num_clips": 6,
                "test_dataloader.0.dataset.num_frames": 60,
                "test_dataloader.1.dataset.num_frames": 48,
                "test_dataloader.2.dataset.num_frames": 48,
            },
        ),
    ),
    "color": Task(
        "color_evaluation",
        {"validation": "clips of faces, validation", "faces": "clips of other faces"},
        dict(
            full={},
            short={  # 3 passes over the photographs, in batches of 4 crops of 96x96
                "train_dataloader.dataset.pipeline.0.crop_size": 96,
                "train_dataloader.num_workers": 1,
                "train_cfg.max_epochs": 3,
                "train_cfg.val_interval": 4,
                # from 1e-4 to 5e-6: at a rate that stays, the baseline loses a decibel
                "param_scheduler.step_size": 1,
                "param_scheduler.gamma": 0.997,
            },
        ),
        dict(full={}, short={}),
    ),
}


@dataclass(frozen=True)
class Cell:
    """One point of the grid: what is trained and tested once."""

    task: str
    strategy: str
    alpha: float | None
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        strength = "" if self.alpha is None else f"_a{self.alpha:g}"
        return f"{self.strategy}{strength}/seed{self.seed}"

    def train_config(self, strategy: Strategy, options: Options) -> Config:
        """The config that it is trained with."""
        from mmengine.config import Config

        from mmtempreg.openmmlab.configs import type_name

        config = Config.fromfile(ROOT / "configs" / "tempreg" / f"{self.task}_{strategy.config}.py")
        merged = {**strategy.options, **options, "randomness.seed": self.seed}
        if type_name(config.model) == "SiameseEditModel":
            merged["model.seed"] = self.seed
        if self.alpha is not None:
            merged["model.alpha"] = self.alpha
        # as seen from the repository, where tools are run: a cell has the same hash wherever that lies
        merged.setdefault("load_from", str(TASKS[self.task].baseline(self.task).relative_to(ROOT)))
        config.merge_from_dict(merged)
        if config.model.get("teacher"):
            config.model.teacher = merged["load_from"]
        config.model = strategy.with_strides(config.model)
        # training is all that a cell does with it: other data need not be there, and a new metric makes no new cell
        left = {f"{part}_{what}": None for part in ("val", "test") for what in ("dataloader", "cfg", "evaluator")}
        config.merge_from_dict({**left, "test_pipeline": None, "motion_lags": None})
        return config


def cells(
    task: str,
    strategies: Mapping[str, Strategy],
    names: Sequence[str],
    alphas: Iterable[float] | None,
    seeds: Sequence[int],
) -> list[Cell]:
    """The grid, all of it for one seed before the next: so that a sweep that is stopped has whole curves.

    Args:
        task: Name of the task.
        strategies: By name.
        names: Which of them.
        alphas: Strengths of those that have one; None: each one's own.
        seeds: The baseline, which is not trained, is tested with the first only.

    Raises:
        ValueError: If a strategy is unknown.
    """
    if unknown := [name for name in names if name not in strategies]:
        raise ValueError(f"there is no strategy {unknown[0]!r}: choose from {', '.join(strategies)}")
    wanted = None if alphas is None else tuple(alphas)
    return [
        Cell(task, name, alpha, seed)
        for seed in seeds
        for name in names
        for alpha in ((wanted or strategies[name].alphas) if strategies[name].alphas else (None,))
        if strategies[name].config or strategies[name].between or seed == seeds[0]
    ]
