"""Short fine-tunings, each with a regularisation and a strength, measured on pseudo-clips."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from ..openmmlab.checkpoints import load_weights, read_weights, weights_hash
from ..openmmlab.configs import config_hash, loss_distance, plain, stock_model_config, type_name
from ..openmmlab.runners import quiet_runner
from ..utils.atomic_write import replace_when_written
from .pseudo_clips import Quality, measure_pseudo_clips


@dataclass(frozen=True)
class Candidate:
    """A regularisation to try.

    Attributes:
        loss: Its config; without a distance it gets that of the wrapped config, or what fits the model's loss.
        local_motion: Displacement in pixels (`RandomElastic`) that joins the transform; 0: the transform as it is.
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


MEASURED = hashlib.sha256(",".join(field.name for field in fields(Quality)).encode()).hexdigest()[:6]
"""Tells the files of trials that were measured otherwise from ours."""


@dataclass(frozen=True)
class Trial:
    """A short fine-tuning and what became of it.

    Attributes:
        regularization: Its name; '' for none.
        alpha: Strength; 0 for none.
        quality: On pseudo-clips.
        seconds: How long the fine-tuning took.
        checkpoint: The fine-tuned weights; of the model as it came, that file.
    """

    regularization: str
    alpha: float
    _: KW_ONLY
    quality: Quality
    seconds: float
    checkpoint: str


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
        seed: Seed of the training, of the choice of images and of the paths.
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
        *,
        iterations: int = 200,
        num_clips: int = 16,
        num_frames: int = 24,
        seed: int = 0,
        candidates: Mapping[str, Candidate] = CANDIDATES,
    ) -> None:
        for name, (value, least) in dict(
            iterations=(iterations, 1), num_clips=(num_clips, 1), num_frames=(num_frames, 2)
        ).items():
            if value < least:
                raise ValueError(f"{name} must be {least} at least, got {value}")
        init_default_scope(config.get("default_scope", "mmagic"))
        self.config, self.checkpoint, self.work_dir = config.copy(), checkpoint, Path(work_dir)
        self.iterations, self.num_frames, self.seed = iterations, num_frames, seed
        self.candidates, (self.transform, self.distance) = candidates, _wrapping(config)
        self.batches, self.held_out = self._hold_out(num_clips)
        self.weights = weights_hash(read_weights(checkpoint))

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

        model = MODELS.build(dict(type="SiameseEditModel", model=stock_model_config(self.config)))
        load_weights(model, self.checkpoint, model.stock_class.__name__)
        if torch.cuda.is_available():
            model.cuda()
        return Trial("", 0.0, quality=self._quality(model), seconds=0.0, checkpoint=self.checkpoint)

    def _quality(self, model: Any) -> Quality:
        return measure_pseudo_clips(model, self.batches, num_frames=self.num_frames, seed=self.seed)

    def wrapping(self, name: str) -> dict[str, dict]:
        """The `transform` and `regularization` of a candidate, for a `SiameseEditModel`."""
        candidate = self.candidates[name]
        transform = self.transform
        if candidate.local_motion:
            local = dict(type="RandomElastic", displacement=candidate.local_motion)
            transform = dict(type="Compose", transforms=[transform, local])
        return dict(transform=transform, regularization=dict(distance=self.distance) | candidate.loss)

    def trial_config(self, name: str, alpha: float, iterations: int | None = None) -> Config:
        """The config of a short fine-tuning with a candidate; '': without regularisation."""
        config, iterations = self.config.copy(), iterations or self.iterations
        model = dict(type="SiameseEditModel", model=plain(stock_model_config(config)), seed=self.seed)
        if name:
            model |= self.wrapping(name) | dict(alpha=alpha)
        _base_dataset(config).indices = self.held_out
        config.merge_from_dict(
            dict(
                model=dict(_delete_=True, **model),
                load_from=self.checkpoint,
                randomness=dict(seed=self.seed),
                train_cfg=dict(_delete_=True, type="IterBasedTrainLoop", max_iters=iterations),
                val_cfg=None,
                val_dataloader=None,
                val_evaluator=None,
                default_hooks=dict(
                    checkpoint=dict(_delete_=True, type="SafeCheckpointHook", interval=iterations, by_epoch=False)
                ),
            )
        )
        config.param_scheduler = dict(
            type="LinearLR", start_factor=1.0, end_factor=0.05, begin=0, end=iterations, by_epoch=False
        )
        config.log_processor = dict(type="LogProcessor", window_size=50, by_epoch=False)
        return config

    def trial(self, name: str, alpha: float, iterations: int | None = None) -> Trial:
        """A short fine-tuning with a candidate ('': without); a finished one is read from its folder."""
        config = self.trial_config(name, alpha, iterations)
        same = config.copy()
        same.load_from = self.weights  # what the checkpoint holds counts, and not its name
        folder = self.work_dir / f"{name.replace(' ', '_') or 'plain'}_a{alpha:g}_{config_hash(same)}"
        result = folder / f"{self.num_frames}_frames_{MEASURED}.json"
        if not result.exists():
            started = time.perf_counter()
            model = quiet_runner(config, folder).train()
            seconds = time.perf_counter() - started
            checkpoint = folder / f"iter_{config.train_cfg.max_iters}.pth"
            values = dict(quality=asdict(self._quality(model)), seconds=seconds, checkpoint=str(checkpoint))
            with replace_when_written(result) as partial:
                partial.write_text(json.dumps(values))
        values = json.loads(result.read_text())
        return Trial(
            name,
            alpha,
            quality=Quality(**values["quality"]),
            seconds=values["seconds"],
            checkpoint=values["checkpoint"],
        )


def _wrapping(config: Config) -> tuple[dict, dict]:
    """The transform, and the distance of the regularisation: of a wrapped config its own, else what fits its loss."""
    if type_name(config.model) == "SiameseEditModel" and config.model.get("transform"):
        distance = config.model.regularization.get("distance") or dict(type="MSELoss")
        return plain(config.model.transform), plain(distance)
    stock = stock_model_config(config)
    return dict(type="RandomAffine"), loss_distance(stock.model if type_name(stock) == "AntiAliasedModel" else stock)


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
