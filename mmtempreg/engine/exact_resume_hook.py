"""A run that was killed and resumed ends as the run that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmagic.registry import DATA_SAMPLERS, HOOKS
from mmengine.dist import broadcast, broadcast_object_list, get_rank, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import BatchSampler

from ..models.networks import unwrapped
from ..openmmlab.checkpoints import check_resumable
from ..openmmlab.internals import (
    accumulated_steps,
    checkpoint_of,
    optim_wrappers,
    resume_from,
    resumes,
    start_from_checkpoint,
    train_dataloader_config,
)
from ..utils.seeding import seed_everything
from .resumption import differences, newest_checkpoint, settings_of
from .seeded_loading import EndlessBatches, SeededBatches, seeded_loader
from .training_files import files_of, told_files

# The seeds of training steps and of samples must not meet: those of samples are five numbers.
_STEP = 1

SWITCHES = {
    "foreach",
    "maximize",
    "capturable",
    "differentiable",
    "fused",
    "amsgrad",
    "nesterov",
    "decoupled_weight_decay",
}
"""Options of torch's optimisers that have come over the years: a checkpoint may lack them, and they have defaults."""


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run end with the same parameters, to the bit, as the run that was not interrupted.

    MMEngine's checkpoints hold weights, optimiser and schedulers, but no state of a random generator, and its resumed
    iteration-based runs load all the data once more that they have seen. Here all that is random is a function of
    (seed, rank, epoch, position), for the data, and (seed, rank, iteration), for the model: there is no state to save,
    and nothing is loaded twice. The order of the data is what the sampler of the config gives.

    More things that a resumed run trips over:

    - `--resume` with `load_from` in the config (the checkpoint to be fine-tuned) goes on from the newest checkpoint in
      the work directory that can be read, and starts from `load_from` if there is none. MMEngine would resume from
      `load_from`. A `load_from` that lies beside the newest checkpoint is resumed from as it stands.
    - With another batch size or number of processes nobody knows what was seen already: refused. What else differs
      from the run that was interrupted, its loss or its learning rate, is said.
    - A batch that is larger than the data trains nothing, or waits for ever: refused.
    - The models of the SRGAN family count their steps outside of the state dict.
    - Training images that were replaced since are told: their number, sizes and times are compared.
    - Another optimiser cannot go on with what the checkpoint holds: refused.
    - A checkpoint amid an accumulation of gradients would lose them: refused.

    Use it with `SafeCheckpointHook`.
    """

    priority = "VERY_HIGH"

    def before_run(self, runner: Runner) -> None:
        """Says what to resume from."""
        self._saved: dict[str, Any] = {}
        load_from = checkpoint_of(runner)
        if not resumes(runner):
            return
        found: list[Any] = [None]
        if get_rank() == 0:
            found = [newest_checkpoint(runner.work_dir, runner.logger.warning, _checkpoint_folder(runner))]
        broadcast_object_list(found)
        latest: Path | None = found[0]
        if latest is None:
            runner.logger.info(f"Nothing to resume in {runner.work_dir}: starts from {load_from or 'the beginning'}.")
            start_from_checkpoint(runner)
        elif load_from is None:
            resume_from(runner, str(latest))
        elif latest.resolve().parent != Path(load_from).resolve().parent:
            runner.logger.info(f"Resumes {latest}, not {load_from}, which the run was started from.")
            resume_from(runner, str(latest))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes in the checkpoint what a resumed run must have in common with this one."""
        checkpoint["meta"]["exact_resume"] = dict(
            batch=self._batch, settings=settings_of(runner.cfg), files=self._files
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keeps what the checkpoint says of the run that wrote it.

        Raises:
            ValueError: If no run can go on from it, or not with this optimiser.
        """
        if resumes(runner):
            source = checkpoint_of(runner) or "the checkpoint to resume from"
            check_resumable(checkpoint, source)
            self._saved = checkpoint["meta"].get("exact_resume", {})
            self._refuse_other_optimizer(runner, checkpoint["optimizer"], source)

    def before_train(self, runner: Runner) -> None:
        """Puts seeded data loading in the place of the loop's.

        Raises:
            TypeError: If `train_dataloader` is not a config.
            ValueError: If checkpoints would fall amid an accumulation of gradients, the run that is resumed had other
                batches, or a batch is larger than the data.
        """
        loop: Any = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        count = len(loop.dataloader.dataset)
        self._batch = f"{loop.dataloader.batch_size} of {count} images on {get_world_size()} process(es)"
        self._files = files_of(loop.dataloader.dataset) if get_rank() == 0 else {}
        self._compare(runner)
        if by_epoch and len(loop.dataloader) == 0:
            raise ValueError(
                f"an epoch has no batch: a batch is {self._batch}, and drop_last=True leaves out what is less: lower "
                "train_dataloader.batch_size"
            )
        self._refuse_lost_gradients(runner, len(loop.dataloader))
        seed = torch.tensor(runner.seed)
        broadcast(seed)  # with `diff_rank_seed` each rank has its own, while the order of the data is common
        self._seed = int(seed)
        skip = loop.iter - loop.epoch * len(loop.dataloader) if by_epoch else loop.iter
        if by_epoch and not 0 <= skip <= len(loop.dataloader):
            raise ValueError(
                f"the checkpoint was saved at iteration {loop.iter} of epoch {loop.epoch}, which does not fit epochs "
                f"of {len(loop.dataloader)} iterations: resume with the batch size, data and number of processes it had"
            )
        batches = SeededBatches(
            _batch_sampler(runner, self._seed), seed=self._seed, rank=get_rank(), epoch=loop.epoch, skip=skip
        )
        loop.dataloader = seeded_loader(loop.dataloader, batches)
        if not by_epoch:
            loop.dataloader_iterator = EndlessBatches(loop.dataloader, loop.iter)
        model = unwrapped(runner.model)
        if hasattr(model, "step_counter"):
            model.step_counter.fill_(loop.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tells the data loading the epoch, as `DistSamplerSeedHook` does where there is one."""
        runner.train_loop.dataloader.batch_sampler.epoch = runner.epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seeds what is random in the model: dropout, noise."""
        seed_everything(self._seed, get_rank(), runner.iter, _STEP)

    def _compare(self, runner: Runner) -> None:
        """Refuses, or says, what differs from the run that is resumed."""
        saved = self._saved
        if saved and saved["batch"] != self._batch:
            raise ValueError(
                f"the run that is resumed had batches of {saved['batch']}, this one has {self._batch}: where it "
                "stopped in the data cannot be told. Resume it as it was, or start a run from its weights (load_from)"
            )
        if saved and (changed := differences(saved["settings"], settings_of(runner.cfg))):
            kept = "; the learning rate and all else that the optimiser holds stay those of the checkpoint"
            runner.logger.warning(
                f"Resumes with other settings than those it was trained with: {'; '.join(changed)}"
                + kept * any(key.startswith(("optim_wrapper", "param_scheduler")) for key in changed)
            )
        files = self._saved.get("files")
        if files and self._files and files != self._files:
            before, now = (told_files(found) for found in (files, self._files))
            runner.logger.warning(
                f"Resumes with other training data than it was trained with: {before} -> {now}; it goes on with those "
                "that are there"
            )

    def _refuse_other_optimizer(self, runner: Runner, saved: dict[str, Any], source: str) -> None:
        wrappers: Any = runner.optim_wrapper
        parts = dict(wrappers.items()) if isinstance(wrappers, OptimWrapperDict) else {"": wrappers}
        for name, wrapper in parts.items():
            groups = (saved.get(name, {}) if name else saved).get("param_groups", [])
            key = f"optim_wrapper.{name}.optimizer.type" if name else "optim_wrapper.optimizer.type"
            before, now = (
                settings.get(key, "").strip("'").rpartition(".")[2]
                for settings in (self._saved.get("settings", {}), settings_of(runner.cfg))
            )
            lacking = {key for group in groups for key in wrapper.optimizer.defaults if key not in group} - SWITCHES
            if not groups or lacking or (before and before != now):
                raise ValueError(
                    f"{source} was trained with {before or 'another optimiser'}{f' as {name}' * bool(name)}, and "
                    f"{type(wrapper.optimizer).__name__} cannot go on where it stopped: resume it as it was, or start "
                    "a run from its weights (load_from, without --resume)"
                )

    @staticmethod
    def _refuse_lost_gradients(runner: Runner, epoch_length: int) -> None:
        for hook in runner.hooks:
            if not isinstance(hook, CheckpointHook):
                continue
            steps = hook.interval * (epoch_length if hook.by_epoch else 1)
            for part in optim_wrappers(runner):
                count = accumulated_steps(part)
                if steps > 0 and steps % count:
                    raise ValueError(
                        f"a checkpoint every {steps} iterations falls amid the accumulation of {count} gradients, "
                        "which it does not hold: make the checkpoint hook's interval a multiple of accumulative_counts"
                    )


def _checkpoint_folder(runner: Runner) -> Path | None:
    """Folder into which the checkpoint hook writes; None: the work directory."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.out_dir:
            return Path(hook.out_dir) / Path(runner.work_dir).name
    return None


def _batch_sampler(runner: Runner, seed: int) -> Any:
    """The batch sampler of the config, anew: MMEngine's loop has already taken indices from the one it built."""
    config, loader = train_dataloader_config(runner), runner.train_loop.dataloader
    if not isinstance(config, dict):
        raise TypeError(f"ExactResumeHook needs `train_dataloader` as a config, got {type(config).__name__}")
    sampler = DATA_SAMPLERS.build(config["sampler"], default_args=dict(dataset=loader.dataset, seed=seed))
    if config.get("batch_sampler") is None:
        return BatchSampler(sampler, loader.batch_size, loader.drop_last)
    arguments = dict(sampler=sampler, batch_size=config["batch_size"])
    return DATA_SAMPLERS.build(config["batch_sampler"], default_args=arguments)
