"""A checkpoint over the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

from ..functional import Motion
from ..functional.motion import known_motion


class ClipFrame(NamedTuple):
    """Input, truth and prediction of a frame: (3, H, W) float32 in RGB.

    Attributes:
        image: The network's input in [0, 1].
        truth: Ground truth, in the range of the dataset.
        prediction: The same, of the model.
        motion: From the frame before, if the dataset tells it; None for the first frame.
    """

    image: Tensor
    truth: Tensor
    prediction: Tensor
    motion: Motion | None


def load_test_clips(config: Config) -> Any:
    """The config's test dataset; one, not a list of them."""
    from mmagic.registry import DATASETS

    init_default_scope(config.get("default_scope", "mmagic"))
    return DATASETS.build(config.test_dataloader.dataset)


def clip_indices(dataset: Any, clip: int) -> list[int]:
    """Indices, in a dataset of clips, of the frames of its n-th clip.

    Raises:
        IndexError: If the dataset has no such clip.
    """
    names = list(dict.fromkeys(entry["clip"] for entry in dataset.data_list))
    if not 0 <= clip < len(names):
        raise IndexError(f"there is no clip {clip}: the dataset has {len(names)}")
    return [i for i, entry in enumerate(dataset.data_list) if entry["clip"] == names[clip]]


def predict_clip(model: Any, dataset: Any, clip: int = 0) -> Iterator[ClipFrame]:
    """Runs a model over a clip, frame by frame.

    Args:
        model: From `load_model`.
        dataset: A dataset of clips, such as `ProceduralHDRDataset`.
        clip: Number of the clip, in the order of the dataset.

    Raises:
        IndexError: If the dataset has no such clip.
    """
    for index in clip_indices(dataset, clip):
        batch = pseudo_collate([dataset[index]])
        image = batch["inputs"][0].float() / 255
        with torch.no_grad():
            (sample,) = model.test_step(batch)
        # Results and ground truth come in BGR, MMagic's order of results; this pipeline's input is RGB.
        motion = frame_motion(sample)
        yield ClipFrame(image, sample.gt_img.cpu().flip(0), sample.output.pred_img.cpu().flip(0), motion)


def frame_motion(sample: Any) -> Motion | None:
    """Motion from the frame before, as a data sample has it; None for the first frame, or if it has none."""
    return known_motion(sample.metainfo.get("motion"), 1)
