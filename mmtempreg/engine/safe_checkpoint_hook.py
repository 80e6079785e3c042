"""Checkpoints that a kill at any moment cannot spoil."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmagic.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..meters.columns import Column
from ..openmmlab.checkpoints import check_finite, refuse_to_overwrite, tensors_in
from ..openmmlab.internals import checkpoint_of, resumes
from ..utils.atomic_write import check_output, remove_abandoned, replace_when_written
from ..utils.claims import claimed_work_dir


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written whole or not at all, and removed only when told so."""

    def __init__(self) -> None:
        self._postponed: list[str] | None = None

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes under a temporary name, then renames."""
        with replace_when_written(filepath) as partial:
            partial.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Writes text under a temporary name, then renames."""
        self.put(obj.encode(encoding), filepath)

    def remove(self, filepath: str | Path) -> None:
        """Removes a file; inside `removing_last`, when that ends."""
        if self._postponed is None:
            super().remove(filepath)
        else:
            self._postponed.append(str(filepath))

    @contextmanager
    def removing_last(self) -> Iterator[None]:
        """Inside, removals wait until all else is done; they do not happen if it fails."""
        self._postponed = []
        try:
            yield
            for path in self._postponed:
                super().remove(path)
        finally:
            self._postponed = None


register_backend("atomic_local", AtomicLocalBackend, force=True)


RULES = {"lower": "less", "higher": "greater"}
"""`Meter.better` -> MMEngine's rule."""


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's `CheckpointHook`, safe against a kill at any moment.

    MMEngine removes old checkpoints before it writes the new one, overwrites files in place, and empties
    `last_checkpoint` before it fills it: a run killed in between is lost. Here each file is written under a temporary
    name and renamed, and old checkpoints go last. While a run trains, no other may write into its work directory; what
    could not be written in hours is refused before it trains: a link or a folder in the place of a checkpoint, or a
    `load_from` over which it would write. Arguments are those of `CheckpointHook`; with `backend_args` of your
    own (files not on a local disk), writing is up to that backend.
    """

    def _init_rule(self, rules: list, key_indicators: list) -> None:
        """MMEngine's, which knows the metrics of this package too.

        Raises:
            ValueError: If the best value of one is in the middle, so that neither 'less' nor 'greater' is better.
        """
        rules = rules * len(key_indicators) if len(rules) == 1 else list(rules)
        for number, key in enumerate(key_indicators):
            column = Column.named(key.rpartition("/")[2])
            if rules[number] is not None or column is None:
                continue
            better = column.meter.better
            if better not in RULES:
                raise ValueError(
                    f"save_best={key!r}: {key} is best {better}, and no rule says that; choose another metric, such as "
                    "TemporalResidual or PSNR, or give rule='less' or 'greater'"
                )
            rules[number] = RULES[better]
        super()._init_rule(rules, key_indicators)

    def before_train(self, runner: Runner) -> None:
        """Chooses the file backend, holds the work directory, and clears away what a kill has left half-written.

        Raises:
            FileExistsError: If another run is writing there.
            ValueError: If the run would write over the checkpoint that it starts from.
            OSError: If a checkpoint could not be written.
        """
        if (self.backend_args, self.file_client_args) == (None, None):
            self.backend_args: dict | None = dict(backend="atomic_local")
        super().before_train(runner)
        best = getattr(self, "best_ckpt_path", None)
        if best is not None:
            self.best_ckpt_path: str | None = self._own(best)
        for key, path in getattr(self, "best_ckpt_path_dict", {}).items():
            self.best_ckpt_path_dict[key] = None if path is None else self._own(path)
        if is_main_process() and isinstance(self.file_backend, AtomicLocalBackend):
            if not resumes(runner):
                refuse_to_overwrite(checkpoint_of(runner), self.out_dir)
            self._claims = ExitStack()
            for folder in {Path(self.out_dir), Path(runner.work_dir)}:
                self._claims.enter_context(claimed_work_dir(folder))
                remove_abandoned(folder)
                for path in folder.iterdir():
                    self._check_place(path, runner.epoch if self.by_epoch else runner.iter)
            if not resumes(runner):
                self._tell_what_is_there(runner)

    def after_train(self, runner: Runner) -> None:
        """Lets go of the work directory."""
        super().after_train(runner)
        if hasattr(self, "_claims"):
            self._claims.close()

    def save_now(self, runner: Runner) -> None:
        """Saves a checkpoint amid an interval, from which a run that was stopped goes on."""
        self._save_checkpoint_with_step(runner, runner.iter, dict(iter=runner.iter, epoch=runner.epoch))

    def _tell_what_is_there(self, runner: Runner) -> None:
        """Warns of checkpoints of an earlier run."""
        if names := [path.name for path in Path(self.out_dir).iterdir() if self._step_of(path)]:
            runner.logger.warning(
                f"{self.out_dir} has checkpoints of an earlier run ({', '.join(sorted(names))}). This one begins anew "
                "and writes over those of its names; --resume goes on from the last one"
            )

    def _step_of(self, path: Path) -> int:
        """The step whose checkpoint a file has the name of; 0: none."""
        step = re.fullmatch(re.escape(self.filename_tmpl).replace(r"\{\}", r"(\d+)"), path.name)
        return int(step[1]) if step else 0

    def _check_place(self, path: Path, done: int) -> None:
        """Raises OSError if it is in the way of what will be written after step `done`."""
        if self._step_of(path) > done or path.name == "last_checkpoint" or path.name.startswith("best_"):
            try:
                check_output(path)
            except OSError as error:
                raise OSError(f"a checkpoint could not be written: {error}, or remove it") from error

    def _own(self, path: str) -> str | None:
        """A checkpoint of this run: of a work directory that was copied, the old place is not its to remove from."""
        here = Path(self.out_dir) / Path(path).name
        return path if Path(path).resolve() == here.resolve() else str(here) if here.is_file() else None

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # Not MMEngine's: that one removes before it writes.
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        check_finite(runner.model.state_dict(), f"{path} is not written: the network")
        state = dict(tensors_in(runner.optim_wrapper.state_dict())) if self.save_optimizer else {}
        check_finite(state, f"{path} is not written: the optimiser", "values")
        doomed = None
        if self.max_keep_ckpts > 0 and (not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step):
            # The checkpoint knows of the one to be removed, so that after a kill the next run removes it.
            ids = [*self.keep_ckpt_ids, step]
            runner.message_hub.update_info("keep_ckpt_ids", ids)
            if len(ids) > self.max_keep_ckpts:
                doomed = ids[0]  # and it stays in the list that is saved
            self.keep_ckpt_ids.append(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        if not is_main_process():
            return
        with replace_when_written(Path(runner.work_dir) / "last_checkpoint") as partial:
            partial.write_bytes(os.fsencode(self.last_ckpt))
        if doomed is not None:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(doomed))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if isinstance(self.file_backend, AtomicLocalBackend):
            with self.file_backend.removing_last():
                super()._save_best_checkpoint(runner, metrics)
        else:
            super()._save_best_checkpoint(runner, metrics)
