"""A video through a model: frames are decoded, processed and encoded at the same time, in constant memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import to_display, to_pixels, white_of
from ..utils.ahead import ahead
from ..utils.claims import claimed_outputs
from ..utils.command_line import add_note
from ..utils.validation import Stops, Whole, check_arguments
from ..video import Frame, FrameSource, FrameWriter, VideoWriter, open_writer
from ..video.writer import check_options, files_of, is_folder
from .frame_model import FrameModel

Prepare = Callable[[Frame, Tensor], Frame]

AHEAD = 3
"""Batches that are decoded ahead, and encoded behind, of the one that is computed."""


@dataclass(kw_only=True)
class Processed:
    """Result of `process_video`.

    Attributes:
        outputs: Where the frames are.
        num_frames: How many.
        seconds: That it took.
        notes: What could not be kept as it was, or was found in later frames, a sentence each.
    """

    outputs: list[Path]
    num_frames: int
    seconds: float
    notes: list[str]


@check_arguments
def process_video(
    model: Callable[[Tensor], Tensor],
    source: FrameSource,
    output: str | Path,
    *,
    tone_mapped: str | Path | None = None,
    stops: Stops = 0.0,
    batch_size: Whole = 1,
    suffix: str | None = None,
    codec: str | None = None,
    crf: int | None = None,
    audio: bool = True,
    overwrite: bool = False,
    lossless: bool = False,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    resume: bool = False,
    identity: str | None = None,
) -> Processed:
    """Runs a model over every frame of a video.

    Times, and with a video the sound track, are those of the source; so is transparency, enlarged with the picture.
    After Ctrl-C or an error what is done by then is kept as `NAME.interrupted`.

    Args:
        model: A `FrameModel`, or any function from (N, 3, H, W) RGB in [0, 1] to as many pictures, of another size if
            it will. If it has an attribute `radiance` that is true, it gives linear radiance.
        source: From `open_frames`; display values.
        output: Video file (.mp4, .mkv, .mov, .webm) or folder. A video of a model that gives radiance is tone-mapped.
        tone_mapped: For a model that gives radiance into a folder: also a video of it.
        stops: Exposure of tone-mapped radiance, 1 is shown as white at 0.
        batch_size: Frames that the network sees at once.
        suffix: Kind of the images in a folder. Default: .exr for radiance, .png else.
        codec, crf, audio, overwrite, lossless: See `open_writer`.
        progress: Wraps the iterator over frames, to show how far it is.
        resume: Into a folder: go on with the frames that an earlier call has kept, of a model that takes each frame
            by itself.
        identity: A text that tells source, model and options from others: what they have made is not resumed.

    Raises:
        ValueError: If source, model, output and options do not fit together, or the model gives NaN or something else
            than a picture for each.
        FileExistsError, OSError: See `open_writer`; FileExistsError too if another process is writing there.
        KeyboardInterrupt: After Ctrl-C; it says where the frames are that were done by then.
    """
    radiance = bool(getattr(model, "radiance", False))
    if tone_mapped is not None and not radiance:
        raise ValueError("tone_mapped is for models that give radiance: this one gives display values")
    if resume and tone_mapped is not None:
        raise ValueError("tone_mapped is a video, which cannot be resumed: make it of the frames when they are done")
    if stops and not radiance:
        raise ValueError(
            f"stops={stops:g} is an exposure of radiance, and this model gives display values: leave it out"
        )
    check_options(
        [path for path in (output, tone_mapped) if path is not None],
        codec=codec,
        crf=crf,
        lossless=lossless,
        suffix=suffix,
    )
    start, count, told = time.perf_counter(), 0, list(getattr(source, "notes", []))
    options: dict[str, Any] = dict(codec=codec, crf=crf, audio=audio, overwrite=overwrite, lossless=lossless)
    options |= dict(suffix=suffix or (".exr" if radiance else ".png"), resume=resume, identity=identity)
    outputs = [path for path in (output, tone_mapped) if path is not None]
    writers: list[FrameWriter] = []
    written = 0

    def write_frame(item: tuple[Frame, Tensor]) -> None:
        nonlocal written
        for writer, prepared in zip(writers, prepare):
            writer.write(prepared(*item))
        written += 1

    try:
        with ExitStack() as stack:
            stack.enter_context(
                claimed_outputs(
                    [path for path in outputs if not is_folder(path)],
                    [path for path in outputs if is_folder(path)],
                    inputs=files_of(source),
                    overwrite=overwrite,
                )
            )
            writers += [open_writer(path, source, **options) for path in outputs]
            prepare = [
                _display(stops) if radiance and isinstance(w, VideoWriter) else _plain(radiance) for w in writers
            ]
            for writer in writers:
                stack.enter_context(writer)
            count = written = writers[0].done
            left = islice(progress(source), count, None)
            write = stack.enter_context(_Behind(AHEAD, write_frame))
            for frames, results in _through(model, ahead(_batches(left, batch_size), AHEAD), source.name):
                _check_results(results, len(frames))
                # the sum is quick to look at, and may overflow where no value does
                if not (results.sum().isfinite() or results.isfinite().all()):
                    raise ValueError(
                        f"the network gives NaN or infinity from frame {count} of {source.name} on: its weights are "
                        "damaged, or half precision (--half) overflows"
                    )
                for item in zip(frames, results):
                    write(item)
                count += len(frames)
    except KeyboardInterrupt:
        kept = _kept(writers)
        raise KeyboardInterrupt(f"stopped after {written} frames, which are in {kept}" if kept else "stopped") from None
    except Exception as error:
        if kept := _kept(writers):
            add_note(error, f"the first {written} frames are in {kept}")
        raise
    of_frames = [note for note in getattr(source, "notes", []) if note not in told]  # what shows when they are read
    notes = list(dict.fromkeys([*of_frames, *(note for writer in writers for note in writer.notes)]))
    return Processed(
        outputs=[w.written for w in writers if w.written],
        num_frames=count,
        seconds=time.perf_counter() - start,
        notes=notes,
    )


def _kept(writers: Sequence[FrameWriter]) -> str:
    """Says where the finished frames are, and how to go on from them; '' if there are none."""
    places = ", ".join(str(writer.written) for writer in writers if writer.written)
    into_folder = bool(writers) and not isinstance(writers[0], VideoWriter)
    return f"{places}: go on with --resume" if places and len(writers) == 1 and into_folder else places


def _through(
    model: Callable[[Tensor], Tensor], batches: Iterable[list[Frame]], name: str
) -> Iterator[tuple[list[Frame], Tensor]]:
    """Each batch and what the model makes of it, in order.

    Threads that share one frame wait for each other at every layer, and for whoever decodes and encodes beside them. So
    a model that says `at_once` computes so many batches at a time, each with its share of the threads.
    """
    iterator, number = iter(batches), 1
    for frames in islice(iterator, 1):  # alone: it finds out how frames of this size are padded
        images = to_tensor(frames, name)
        yield frames, model(images)
        number = model.at_once(images.shape) if isinstance(model, FrameModel) else 1
    if number == 1:
        yield from ((frames, model(to_tensor(frames, name))) for frames in iterator)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(number, "model", lambda: torch.set_num_threads(max(threads // number, 1)))
    pending: deque[tuple[list[Frame], Future]] = deque()
    try:
        for frames in iterator:
            pending.append((frames, pool.submit(lambda batch: model(to_tensor(batch, name)), frames)))
            if len(pending) > number:
                done, results = pending.popleft()
                yield done, results.result()
        for done, results in pending:
            yield done, results.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # what a thread has set is what those have that start after it


def _check_results(results: Any, number: int) -> None:
    """Raises ValueError if they are not a picture for each of so many frames."""
    if not isinstance(results, Tensor) or results.ndim != 4 or results.shape[:2] != (number, 3):
        got = tuple(results.shape) if isinstance(results, Tensor) else f"a {type(results).__name__}"
        raise ValueError(f"the model must give ({number}, 3, H, W) for {number} frame(s), it gives {got}")


def to_tensor(frames: Sequence[Frame], name: str) -> Tensor:
    """Frames of display values as (N, 3, H, W) in [0, 1]; `name` is for the error if they hold radiance."""
    images = np.stack([frame.image for frame in frames])
    if images.dtype == np.float32:
        raise ValueError(f"{name} holds radiance; models take display values: tone-map it first")
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / white_of(images.dtype))


def _plain(radiance: bool) -> Prepare:
    """Keeps the depth of the source."""

    def prepare(frame: Frame, result: Tensor) -> Frame:
        image = result.permute(1, 2, 0)
        if radiance:
            return frame._replace(image=np.ascontiguousarray(image.numpy(), np.float32))
        white = white_of(frame.image.dtype)
        pixels = np.rint(image.clamp(0, 1).numpy() * white).astype(frame.image.dtype)
        return frame._replace(image=pixels, alpha=_enlarged(frame.alpha, pixels.shape))

    return prepare


def _display(stops: float) -> Prepare:
    def prepare(frame: Frame, result: Tensor) -> Frame:
        pixels, alpha = to_pixels(to_display(result, stops)), frame.alpha
        if alpha is not None and alpha.dtype == np.uint16:
            alpha = np.rint(alpha / 257).astype(np.uint8)
        return frame._replace(image=pixels, alpha=_enlarged(alpha, pixels.shape))

    return prepare


def _enlarged(alpha: np.ndarray | None, shape: Sequence[int]) -> np.ndarray | None:
    """Opacity of a picture of this shape: colours are not multiplied by it, so that it goes its own way."""
    if alpha is None or alpha.shape == tuple(shape[:2]):
        return alpha
    return cv2.resize(alpha, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    iterator = iter(frames)
    while batch := list(islice(iterator, size)):
        yield batch


class _Behind:
    """Calls a function in a thread of its own, up to `depth` items behind; after an error of it no more."""

    def __init__(self, depth: int, function: Callable[[Any], Any]) -> None:
        self._depth, self._function, self._failed = depth, function, False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._pending: deque[Future] = deque()

    def __call__(self, item: Any) -> None:
        self._pending.append(self._pool.submit(self._call, item))
        if len(self._pending) > self._depth:
            self._pending.popleft().result()

    def _call(self, item: Any) -> None:
        if self._failed:  # or the next frame would take the place of the one that failed
            return
        try:
            self._function(item)
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            for future in self._pending:
                future.result()
        finally:
            self._pool.shutdown(cancel_futures=True)
