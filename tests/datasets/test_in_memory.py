import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtempreg.datasets import HDRImageDataset, InMemoryDataset, ProceduralHDRDataset
from mmtempreg.models.hdr import HDRDataPreprocessor

WHOLE = dict(flip_ratio=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("procedural"))


def procedural(folder, **kwargs):
    return ProceduralHDRDataset(num_images=6, size=32, data_root=folder, **kwargs)


def test_batches_are_what_mmagic_makes_of_the_same_items(folder):
    """Stock loading, item by item, as the oracle."""
    stock = procedural(folder, pipeline=[dict(type="PackInputs")])
    preprocessor = HDRDataPreprocessor()
    expected = preprocessor(pseudo_collate([stock[i] for i in (4, 1, 2)]), training=True)
    batch = InMemoryDataset(procedural(folder), **WHOLE).__getitems__([4, 1, 2])
    got = preprocessor(pseudo_collate(batch), training=True)
    torch.testing.assert_close(got["inputs"], expected["inputs"], rtol=0, atol=1e-7)
    assert torch.equal(got["data_samples"].gt_img, expected["data_samples"].gt_img)
    assert got["inputs"].is_contiguous(memory_format=torch.channels_last)


def test_crops_and_mirroring_are_the_same_of_photograph_and_radiance(folder):
    source = procedural(folder)
    (batch,) = InMemoryDataset(source, crop_size=(8, 12)).__getitems__([3] * 200)
    radiance = batch["data_samples"].gt_img
    assert batch["inputs"].shape == radiance.shape == (200, 3, 8, 12)
    item = source[3]
    places = set()
    for photograph, truth in zip(batch["inputs"], radiance):
        for mirror in range(4):
            axes = tuple(axis for axis in (1, 2) if mirror >> (axis - 1) & 1)
            windows = np.lib.stride_tricks.sliding_window_view(item["gt"], (8, 12), axis=(0, 1))
            found = np.argwhere((windows == truth.flip(axes).numpy()).all(axis=(2, 3, 4)))
            if len(found):
                (top, left), *_ = found
                shot = item["img"][top : top + 8, left : left + 12].transpose(2, 0, 1)
                assert np.array_equal(shot, photograph.flip(axes).numpy())
                places.add((int(top), int(left), mirror))
                break
        else:
            pytest.fail("a crop that is nowhere in the image")
    assert {mirror for *_, mirror in places} == {0, 1, 2, 3}
    assert {0, 24} <= {top for top, *_ in places}  # as far as crops can lie
    assert {0, 20} <= {left for _, left, _ in places}


@pytest.mark.slow
def test_training_goes_on_to_the_bit(folder, tmp_path):
    """With `ExactResumeHook`, which seeds batches: a run that stops and one that does not."""

    class Stop(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == 4:  # amid the second epoch
                raise InterruptedError

    def train(name, stop=False, **options):
        config = Config.fromfile("configs/tempreg/hdr_transinv_a0.8.py")
        source = dict(type="ProceduralHDRDataset", num_images=6, size=32, data_root=folder)
        config.train_dataloader = dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type="DefaultSampler", shuffle=True),
            dataset=dict(type="InMemoryDataset", dataset=source, crop_size=(16, 16)),
        )
        for part in ("val_dataloader", "val_cfg", "val_evaluator", "test_dataloader", "test_cfg", "test_evaluator"):
            config.pop(part)
        config.merge_from_dict({"train_cfg.max_epochs": 2, "train_cfg.val_interval": 99, "load_from": None})
        config.merge_from_dict(
            {"work_dir": str(tmp_path / name), "experiment_name": f"{name}_{len(options)}", **options}
        )
        runner = Runner.from_cfg(copy.deepcopy(config))
        if stop:
            runner.register_hook(Stop())
        runner.train()
        return torch.load(tmp_path / name / "epoch_2.pth")["state_dict"]

    whole = train("whole")
    with pytest.raises(InterruptedError):
        train("stopped", stop=True)
    resumed = train("stopped", resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    other = train("other", **{"randomness.seed": 1})
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_it_reads_in_processes_too_and_no_more_than_it_is_told(folder):
    one, two = (InMemoryDataset(procedural(folder), num_workers=n, indices=5, **WHOLE) for n in (0, 2))
    assert len(one) == len(two) == 5
    for i in range(5):
        assert torch.equal(one[i]["inputs"], two[i]["inputs"])


def test_what_does_not_fit_is_said(folder):
    with pytest.raises(ValueError, match=r"images of 32x32 hold no crop_size=\(40, 8\)"):
        InMemoryDataset(procedural(folder), crop_size=(40, 8))
    with pytest.raises(ValueError, match="bgr"):
        pipeline = [dict(type="SetValues", dictionary=dict(img_channel_order="bgr"))]
        InMemoryDataset(procedural(folder, pipeline=pipeline))
    mixed = torch.utils.data.ConcatDataset(
        [procedural(folder), HDRImageDataset("resources/hdr", num_images=2, size=40)]
    )
    with pytest.raises(ValueError, match=r"image 6 is \(40, 40, 3\), those before \(32, 32, 3\)"):
        InMemoryDataset(mixed)


def test_many_stills_are_rendered_on_all_cores_as_one_would(tmp_path):
    many = ProceduralHDRDataset(num_images=1000, size=8, data_root=str(tmp_path))
    few = ProceduralHDRDataset(num_images=3, size=8, data_root=str(tmp_path))
    assert all(np.array_equal(many[i]["gt"], few[i]["gt"]) for i in range(3))
    assert len(np.unique([many[i]["gt"].sum() for i in range(0, 1000, 50)])) == 20
