"""Which regularisation, and how strong? Short fine-tunings, measured on pseudo-clips of still images."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint, set_random_seed
from torch import Tensor, nn

from ..fileio import replace_when_written
from ..losses import SiameseOutputs
from ..losses.regularization import seen_in_all
from ..meters import (
    Clip,
    DetailMeter,
    EquivarianceMeter,
    FlickerMeter,
    Meter,
    Motion,
    PSNRMeter,
    ResidualMeter,
    SmoothnessMeter,
    Sums,
    add_sums,
)
from ..models.siamese.families import ColorizationFamily, EditFamily
from ..models.siamese.training import Plan
from ..transforms import AffineTransformPair, ComposeTransformPair, LocalMotionPair, TransformPair
from ..transforms.motion import FPS, motion_between
from .configs import config_hash, stock_model

LADDER = (0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Strengths that are tried: the paper's, and a weaker one. Of small differences the L1 distance is much larger than the
mean of squares, so that the same alpha may be far too much."""


@dataclass(frozen=True)
class Candidate:
    """A regularisation to try.

    Attributes:
        loss: Its config; without a distance it gets that of the wrapped config, or what fits the model's loss.
        local_motion: Displacement in pixels (`LocalMotionPair`) that joins the transform; 0: the transform as it is.
    """

    loss: dict
    local_motion: float = 0.0


CANDIDATES = {
    "transform invariance": Candidate(dict(type="TransformInvarianceLoss")),
    "sparse Jacobian": Candidate(dict(type="SparseJacobianLoss")),
    "sparse Jacobian, L1, local motion": Candidate(
        dict(type="SparseJacobianLoss", distance=dict(type="L1Loss")), local_motion=4
    ),
}
"""Regularisations that are tried: the paper's two, and what is best in docs/results.md."""


@dataclass(frozen=True)
class Quality:
    """What pseudo-clips say of a model, in the domain in which it is trained.

    Attributes:
        psnr: dB, with 1 as the peak: only differences mean something.
        smoothness: S.
        residual: R.
        flicker: F, from frame to frame along the exact motion.
        detail: K, to the truth.
        equivariance: EQ in dB between frames and the moved first frame, with 1 as the peak.
    """

    psnr: float
    smoothness: float
    residual: float
    flicker: float
    detail: float
    equivariance: float


MEASURED = hashlib.sha256(",".join(field.name for field in fields(Quality)).encode()).hexdigest()[:6]
"""Tells the files of trials that were measured otherwise from ours."""


@dataclass(frozen=True)
class Trial:
    """A short fine-tuning and what became of it.

    Attributes:
        regularization: Its name; '' for none.
        alpha: Strength; 0 for none.
        quality: On pseudo-clips.
        seconds: Of the fine-tuning.
        checkpoint: The fine-tuned weights; of the model as it came, that file.
    """

    regularization: str
    alpha: float
    quality: Quality
    seconds: float
    checkpoint: str


@dataclass(frozen=True)
class Tuned:
    """What was tried, and what is best.

    Attributes:
        start: The model as it came.
        plain: Fine-tuned without regularisation: what the others are compared with.
        trials: All regularised fine-tunings, in the order in which they were made.
        best: The one with the lowest F of those that are `affordable`; None if there is none.
        max_psnr_loss: dB that PSNR may fall below that of `plain`.
        min_detail: What must be kept of K of `start`.
    """

    start: Trial
    plain: Trial
    trials: list[Trial]
    best: Trial | None
    max_psnr_loss: float
    min_detail: float


class PseudoClipMeter(nn.Module):
    """Stands in for a regularisation loss, and measures the predictions of the frames that it is given."""

    MEASURES: Mapping[str, type[Meter]] = dict(
        psnr=PSNRMeter, smoothness=SmoothnessMeter, residual=ResidualMeter, flicker=FlickerMeter, detail=DetailMeter
    )

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[type[Meter], Sums] = {}
        self.equivariance = EquivarianceMeter()

    def forward(self, *outputs: SiameseOutputs) -> Tensor:
        """Takes the pseudo-clips of a batch: x and all T(x). Counts what all frames see, as the model weighs it."""
        first = outputs[0]
        truth = torch.stack([first.target, *(one.moved_target() for one in outputs)])
        prediction = torch.stack([first.f_x, *(one.f_tx for one in outputs)])
        seen = seen_in_all(outputs)
        weights = [seen * (1 if w is None else w) for w in (first.weight, *(one.moved_weight() for one in outputs))]
        mask = torch.stack([weight.expand_as(first.f_x) for weight in weights])
        drawn = [None, *(one.transform for one in outputs)]
        steps = [motion_between(now, then, first.transform.size) for then, now in pairwise(drawn)]
        for image in range(truth.shape[1]):
            clip, true_clip, counts = (part[:, image].cpu() for part in (prediction, truth, mask))
            self._measure(clip, true_clip, counts, [_resized(step[image], first.f_x) for step in steps])
        for one in outputs:
            weight, valid = one.moved_weight(), one.transform.valid(one.f_tx)
            valid = valid if weight is None else valid * weight
            self.equivariance.update(one.f_tx, one.transform.apply_output(one.f_x), valid.expand_as(one.f_tx))
        return prediction.new_zeros(())

    def _measure(self, prediction: Tensor, truth: Tensor, mask: Tensor, motions: Sequence[Motion]) -> None:
        """Adds a clip, (T, C, H, W) each, with the motion to all frames but the first."""
        about = Clip(FPS, len(prediction))
        meters = {kind: kind.of_clip(about) for kind in {meter.summed_by() for meter in self.MEASURES.values()}}
        for frame, (pred, target, weight) in enumerate(zip(prediction, truth, mask)):
            for kind, meter in meters.items():
                if kind.needs_motion:
                    motion = motions[frame - 1] if frame else None
                    meter.update(pred, target, weight, motion=motion)  # type: ignore[call-arg]
                else:
                    meter.update(pred, target, weight)
        for kind, meter in meters.items():
            sums = meter.finish()
            self.sums[kind] = add_sums(self.sums[kind], sums) if kind in self.sums else sums

    def quality(self) -> Quality:
        """Of all that was taken."""
        values = {name: meter.value(self.sums[meter.summed_by()]) for name, meter in self.MEASURES.items()}
        return Quality(**values, equivariance=EquivarianceMeter.value(self.equivariance.finish()))


def _resized(motion: Motion, like: Tensor) -> Motion:
    """Motion of the network's input in pixels of its prediction, which may be larger or smaller."""
    size = (like.shape[-2], like.shape[-1])
    if motion.flow.shape[-2:] == size:
        return motion
    scale = motion.flow.new_tensor([size[1] / motion.flow.shape[-1], size[0] / motion.flow.shape[-2]])
    flow = F.interpolate(motion.flow[None], size, mode="bilinear")[0] * scale.view(2, 1, 1)
    return Motion(flow, F.interpolate(motion.visible[None], size, mode="nearest")[0])


def pseudo_clip_motion() -> TransformPair:
    """What the frames of a pseudo-clip are moved by, along `draw_wander`."""
    return ComposeTransformPair([AffineTransformPair(), LocalMotionPair(displacement=4)])


def measure_pseudo_clips(model: Any, batches: Sequence[dict], num_frames: int = 24, seed: int = 0) -> Quality:
    """F, K, PSNR, S and R over clips that a hand-held camera would make of still images of things that move.

    No video is needed: each image and its truth are moved along the same smooth random path (`draw_wander` with the
    ranges of the paper's Table 1 and 4 pixels of `LocalMotionPair`, 24 frames a second), and the model predicts each
    frame. Without local motion a network that was regularised with T looks better than it is: the clips would move as
    nothing but T does. Values are compared in the domain of the model's own loss, with its own weights.

    Args:
        model: A `SiameseEditModel` whose loss is computed by `forward(mode='loss')`.
        batches: What the data loader gives.
        num_frames: Length of each clip.
        seed: Of the paths: the same for every model that is to be compared.

    Raises:
        TypeError: For another kind of model.
    """
    if not isinstance(model, EditFamily | ColorizationFamily):
        raise TypeError(
            f"{type(model).__name__} cannot be measured on pseudo-clips: only wrapped BaseEditModel, InstColorization "
            "and their kin have a loss outside of their training step"
        )
    meter = PseudoClipMeter()
    before = model._plan, model.training
    model._plan = Plan(pseudo_clip_motion(), meter, 1.0, seed, 1, 1.0, False, num_frames - 1, "wander")
    model.eval()
    try:
        with torch.no_grad():
            for number, batch in enumerate(batches):
                with _iteration(number):
                    model(**model.data_preprocessor(batch, True), mode="loss")
    finally:
        model._plan = before[0]
        model.train(before[1])
    return meter.quality()


@contextmanager
def _iteration(number: int) -> Iterator[None]:
    """Inside, draws are those of this iteration."""
    hub = MessageHub.get_current_instance()
    before = hub.get_info("iter", 0)
    hub.update_info("iter", number)
    try:
        yield
    finally:
        hub.update_info("iter", before)


class Tuner:
    """Fine-tunes a model for a short while with one regularisation after another.

    Args:
        config: A stock config of MMagic, or one with a `SiameseEditModel`: its `transform` and the distance of its
            regularisation are taken over. The learning rate should be one for fine-tuning.
        checkpoint: What is fine-tuned.
        work_dir: Folder of the trials. What is finished there is not done again.
        iterations: Length of a fine-tuning; the learning rate falls linearly to 5 % of the config's.
        num_clips: Images held out from the training data, of which pseudo-clips are made.
        num_frames: Their length.
        seed: Of the training, of the choice of images and of the paths.
        candidates: The regularisations to try, by name.

    Raises:
        ValueError: If the training data has too few images, or is of a kind from which none can be held out.
        TypeError: If the model is of a kind that cannot be wrapped or measured.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: str,
        work_dir: str | Path,
        iterations: int = 200,
        num_clips: int = 16,
        num_frames: int = 24,
        seed: int = 0,
        candidates: Mapping[str, Candidate] = CANDIDATES,
    ) -> None:
        init_default_scope(config.get("default_scope", "mmagic"))
        self.config, self.checkpoint, self.work_dir = config.copy(), checkpoint, Path(work_dir)
        self.iterations, self.num_frames, self.seed = iterations, num_frames, seed
        self.candidates, (self.transform, self.distance) = candidates, _wrapping(config)
        self.batches, self.held_out = self._hold_out(num_clips)

    def _hold_out(self, num_clips: int) -> tuple[list[dict], list[int]]:
        from mmagic.registry import DATASETS

        dataset = DATASETS.build(_base_dataset(self.config).copy())
        if len(dataset) < 2 * num_clips:
            raise ValueError(
                f"the training data has {len(dataset)} images: too few to hold out {num_clips} of them for pseudo-clips"
            )
        set_random_seed(self.seed)
        order = torch.randperm(len(dataset)).tolist()
        samples = [dataset[index] for index in order[:num_clips]]
        return [pseudo_collate(samples[i : i + 4]) for i in range(0, num_clips, 4)], sorted(order[num_clips:])

    def start(self) -> Trial:
        """The model as it came."""
        from mmagic.registry import MODELS

        model = MODELS.build(dict(type="SiameseEditModel", model=stock_model(self.config)))
        load_checkpoint(model, self.checkpoint, map_location="cpu", strict=True)
        if torch.cuda.is_available():
            model.cuda()
        return Trial("", 0.0, self._quality(model), 0.0, self.checkpoint)

    def _quality(self, model: Any) -> Quality:
        return measure_pseudo_clips(model, self.batches, self.num_frames, self.seed)

    def wrapping(self, name: str) -> dict[str, dict]:
        """The `transform` and `regularization` of a candidate, for a `SiameseEditModel`."""
        candidate = self.candidates[name]
        transform = self.transform
        if candidate.local_motion:
            local = dict(type="LocalMotionPair", displacement=candidate.local_motion)
            transform = dict(type="ComposeTransformPair", transforms=[transform, local])
        return dict(transform=transform, regularization=dict(distance=self.distance) | candidate.loss)

    def trial_config(self, name: str, alpha: float) -> Config:
        """The config of a short fine-tuning with a candidate; '': without regularisation."""
        config = self.config.copy()
        model = dict(type="SiameseEditModel", model=stock_model(config), seed=self.seed)
        if name:
            model |= self.wrapping(name) | dict(alpha=alpha)
        _base_dataset(config).indices = self.held_out
        config.merge_from_dict(
            dict(
                model=dict(_delete_=True, **model),
                load_from=self.checkpoint,
                randomness=dict(seed=self.seed),
                train_cfg=dict(_delete_=True, type="IterBasedTrainLoop", max_iters=self.iterations),
                val_cfg=None,
                val_dataloader=None,
                val_evaluator=None,
                default_hooks=dict(
                    checkpoint=dict(_delete_=True, type="SafeCheckpointHook", interval=self.iterations, by_epoch=False)
                ),
            )
        )
        config.param_scheduler = dict(
            type="LinearLR", start_factor=1.0, end_factor=0.05, begin=0, end=self.iterations, by_epoch=False
        )
        config.log_processor = dict(type="LogProcessor", window_size=50, by_epoch=False)
        return config

    def trial(self, name: str, alpha: float) -> Trial:
        """A short fine-tuning with a candidate ('': without); a finished one is read from its folder."""
        config = self.trial_config(name, alpha)
        folder = self.work_dir / f"{name.replace(' ', '_') or 'plain'}_a{alpha:g}"
        result = folder / f"{config_hash(config)}_{self.num_frames}_frames_{MEASURED}.json"
        if not result.exists():
            config.work_dir = str(folder)
            config.experiment_name = f"{folder.name}_{time.time_ns()}"
            started = time.perf_counter()
            runner = Runner.from_cfg(config)
            model = runner.train()
            seconds = time.perf_counter() - started
            checkpoint = folder / f"iter_{self.iterations}.pth"
            values = dict(quality=asdict(self._quality(model)), seconds=seconds, checkpoint=str(checkpoint))
            with replace_when_written(result) as partial:
                partial.write_text(json.dumps(values))
        values = json.loads(result.read_text())
        return Trial(name, alpha, Quality(**values["quality"]), values["seconds"], values["checkpoint"])


def _wrapping(config: Config) -> tuple[dict, dict]:
    """The transform, and the distance of the regularisation: of a wrapped config its own, else what fits its loss."""
    if config.model.type == "SiameseEditModel" and config.model.get("transform"):
        distance = config.model.regularization.get("distance") or dict(type="MSELoss")
        return config.model.transform, distance
    loss = dict(stock_model(config).get("pixel_loss") or {})
    same = loss.get("type") in ("L1Loss", "MSELoss", "CharbonnierLoss", "PSNRLoss")
    return dict(type="AffineTransformPair"), loss if same else dict(type="MSELoss")


def _base_dataset(config: Config) -> Any:
    """The config of the training data without what repeats it.

    Raises:
        ValueError: If the data is several sets.
    """
    dataset = config.train_dataloader.dataset
    while "dataset" in dataset:
        dataset = dataset.dataset
    if "datasets" in dataset:
        raise ValueError("no images can be held out of several sets of training data: name one of them")
    return dataset


def tune(
    tuner: Tuner,
    max_psnr_loss: float = 0.1,
    min_detail: float = 0.95,
    budget: int = 12,
    ladder: Sequence[float] = LADDER,
    report: Callable[[Trial], None] = lambda trial: None,
) -> Tuned:
    """Finds the regularisation and alpha with the lowest F that costs no more PSNR than is allowed, and keeps detail.

    Stronger regularisation lowers F, and PSNR and detail with it. So for each candidate the ladder of strengths is
    bisected for the strongest that can be afforded, taking turns, until the budget is spent. The lowest F of all that
    were tried and can be afforded wins. PSNR is compared with that of a fine-tuning of the same length without
    regularisation, K with that of the network as it came.

    Args:
        tuner: Does the fine-tunings.
        max_psnr_loss: dB that PSNR may fall.
        min_detail: What must be kept of K, in [0, 1] or above.
        budget: Fine-tunings at most, the plain one included.
        ladder: Rising strengths.
        report: Is told of each trial when it is done.

    Raises:
        ValueError: If the budget does not suffice for one trial of each candidate.
    """
    if budget < 1 + len(tuner.candidates):
        names = ", ".join(tuner.candidates)
        raise ValueError(f"a budget of {budget} does not suffice for plain fine-tuning and one trial each of {names}")
    start = tuner.start()
    report(start)
    plain = tuner.trial("", 0.0)
    report(plain)

    def affordable(trial: Trial) -> bool:
        quality = trial.quality
        sharp = quality.detail >= min_detail * start.quality.detail
        return sharp and quality.psnr >= plain.quality.psnr - max_psnr_loss

    ranges = {name: (0, len(ladder)) for name in tuner.candidates}
    trials: list[Trial] = []
    while any(low < high for low, high in ranges.values()) and len(trials) + 1 < budget:
        for name, (low, high) in ranges.items():
            if low >= high or len(trials) + 1 >= budget:
                continue
            middle = (low + high) // 2
            trials.append(tuner.trial(name, ladder[middle]))
            report(trials[-1])
            ranges[name] = (middle + 1, high) if affordable(trials[-1]) else (low, middle)
    best = min(filter(affordable, trials), key=lambda trial: trial.quality.flicker, default=None)
    return Tuned(start, plain, trials, best, max_psnr_loss, min_detail)
