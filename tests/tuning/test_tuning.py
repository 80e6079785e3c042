"""How strong should one regularise: pseudo-clips, the search, and the command."""

import json
import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.config import Config
from scipy.ndimage import gaussian_filter1d
from skimage import data

from mmtempreg.transforms import MOTIONS, ImageRange, draw_generator
from mmtempreg.tuning import CANDIDATES, LADDER, Quality, Trial, Tuner, measure_pseudo_clips, pseudo_clip_motion, tune
from testing import forked

ROOT = Path(__file__).resolve().parents[2]

EDIT = dict(
    type="BaseEditModel",
    generator=dict(type="SRCNNNet", channels=(3, 8, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1),
    pixel_loss=dict(type="L1Loss"),
    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
)


def wrapped(model=EDIT):
    return MODELS.build(dict(type="SiameseEditModel", model=dict(model)))


def batch(n=2, size=48):
    photo = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)
    images = [photo[:, 90 : 90 + size, 150 + 60 * i : 150 + 60 * i + size] for i in range(n)]
    samples = []
    for image in images:
        samples.append(DataSample(gt_img=image.clone()))
        samples[-1].set_metainfo(dict(img_channel_order="RGB", gt_channel_order="RGB"))
    return dict(inputs=images, data_samples=samples)


# ---------------------------------------------------------------- pseudo-clips


@pytest.mark.slow
def test_the_truth_has_no_flicker_and_a_still_picture_has_r_1():
    model = wrapped()
    model.generator.forward = lambda x: x
    exact = measure_pseudo_clips(model, [batch()])
    assert exact.psnr == float("inf")
    assert exact.residual == 0
    assert exact.smoothness == pytest.approx(1)
    assert exact.flicker == pytest.approx(1)
    assert exact.detail == pytest.approx(1)
    assert exact.equivariance == float("inf")
    model.generator.forward = lambda x: torch.full_like(x, 0.4)
    still = measure_pseudo_clips(model, [batch()])
    assert still.smoothness == float("inf")
    assert still.residual == pytest.approx(1)
    assert still.flicker < 0.6
    assert still.detail < 1e-6

    def restless(x):  # a grid that stands still before what moves
        checks = torch.arange(x.shape[-1]) + torch.arange(x.shape[-2])[:, None]
        return x + 0.05 * (checks % 8 < 4)

    model.generator.forward = restless
    grid = measure_pseudo_clips(model, [batch()])
    assert grid.flicker > 2
    assert grid.detail > 1.05
    assert 15 < grid.equivariance < 40


def test_equals_scipy_on_the_frames_written_out():
    model = wrapped().train()
    weights = [p.clone() for p in model.parameters()]
    found = measure_pseudo_clips(model, [batch(), batch(1)], num_frames=9, seed=3)
    assert model.training
    assert model.regularizer is None
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters()))
    model.eval()
    sums = np.zeros(5)
    for number, one in enumerate((batch(), batch(1))):
        x = torch.stack(one["inputs"]).float() / 255
        drawn = MOTIONS["wander"](
            pseudo_clip_motion(), 8, x, generator=draw_generator(3, number), image_range=ImageRange()
        )
        frames = [x, *(frame.apply_output(x) for frame in drawn)]
        with torch.no_grad():
            predictions = np.stack([model.generator(frame).numpy() for frame in frames]).astype(np.float64)
        truth = np.stack([frame.numpy() for frame in frames]).astype(np.float64)
        seen = np.stack([frame.valid(x).numpy() for frame in drawn]).min(axis=0) * np.ones_like(truth)
        assert 0.3 < seen.mean() < 1

        def energy(video, seen=seen):
            low = gaussian_filter1d(video, 0.15 * 24, axis=0, mode="reflect", truncate=4)
            return (seen * (video - low) ** 2).sum()

        squares = (seen * (predictions - truth) ** 2).sum()
        sums += energy(truth), energy(predictions), energy(predictions - truth), squares, seen.sum()
    assert found.smoothness == pytest.approx(np.sqrt(sums[0] / sums[1]), rel=1e-4)
    assert found.residual == pytest.approx(np.sqrt(sums[2] / sums[0]), rel=1e-4)
    assert found.psnr == pytest.approx(-10 * np.log10(sums[3] / sums[4]), abs=1e-3)


@pytest.mark.slow
def test_the_same_clips_whatever_has_been_trained_before():
    from mmengine.logging import MessageHub

    model = wrapped()
    first = measure_pseudo_clips(model, [batch()])
    MessageHub.get_current_instance().update_info("iter", 17)
    assert measure_pseudo_clips(model, [batch()]) == first
    assert MessageHub.get_current_instance().get_info("iter") == 17
    MessageHub.get_current_instance().update_info("iter", 0)
    assert measure_pseudo_clips(model, [batch()], seed=1) != first


def test_models_without_a_loss_of_their_own_are_refused():
    with pytest.raises(TypeError, match="cannot be measured on pseudo-clips"):
        measure_pseudo_clips(MODELS.build(dict(EDIT)), [batch()])


# ---------------------------------------------------------------- the search


def clips_of(flicker):
    """F of four clips."""
    return tuple(flicker * part for part in (0.9, 1.0, 1.1, 1.0))


class FakeTuner:
    """PSNR, F and K fall with the strength: `cost` dB and `blur` of the detail at -log10(1 - alpha) = 1."""

    blur = 0.0
    iterations = 200

    def __init__(self, **cost):
        self.cost, self.candidates, self.made, self.shorter = cost, {name: {} for name in cost}, [], []

    def start(self):
        return Trial(
            "",
            0.0,
            quality=Quality(
                psnr=30.0,
                smoothness=1.0,
                residual=1.2,
                flicker=3.0,
                detail=0.8,
                equivariance=30.0,
                flickers=clips_of(3.0),
            ),
            seconds=0.0,
            checkpoint="start",
        )

    def trial(self, name, alpha, iterations=iterations):
        made = self.made if iterations == self.iterations else self.shorter
        made.append((name, alpha))
        strength = -np.log10(1 - alpha) * iterations / self.iterations
        psnr, blur = 29.0 - self.cost.get(name, 0) * strength, self.blur * strength
        flicker = 2.5 - 0.3 * strength * (name == "a" or 0.9)
        quality = Quality(
            psnr=psnr,
            smoothness=1.0,
            residual=1.0,
            flicker=flicker,
            detail=0.8 * (1 - blur),
            equivariance=30.0,
            flickers=clips_of(flicker),
        )
        return Trial(name, alpha, quality=quality, seconds=1.0, checkpoint="")


def test_what_flickers_as_it_did_does_not_win():
    """However affordable it is."""
    tuner = FakeTuner(a=0.0)
    tuner.trial = lambda name, alpha, iterations=200: Trial(
        name,
        alpha,
        quality=Quality(
            psnr=30.0,
            smoothness=1.0,
            residual=1.2,
            flicker=2.9,
            detail=0.8,
            equivariance=30.0,
            flickers=(2.4, 3.1, 3.1, 3.0),
        ),
        seconds=1.0,
        checkpoint="",
    )
    assert tune(tuner, budget=4).best is None


def strongest(cost, allowed):
    return max((a for a in LADDER if -np.log10(1 - a) * cost <= allowed), default=None)


@pytest.mark.parametrize("cost", [0.0, 0.02, 0.09, 0.12, 0.3])
def test_the_strongest_within_the_allowance_is_found(cost):
    tuner = FakeTuner(a=cost)
    tuned = tune(tuner, max_psnr_loss=0.1, budget=5)
    assert tuned.best.alpha == strongest(cost, 0.1)
    assert tuned.plain.quality.psnr == 29.0
    assert len(tuner.made) <= 5
    assert tuner.made[0] == ("", 0.0)


@pytest.mark.parametrize("blur", [0.02, 0.04, 0.3])
def test_a_blur_cannot_be_afforded(blur):
    tuner = FakeTuner(a=0.0)
    tuner.blur = blur
    best = tune(tuner, min_detail=0.95, budget=5).best
    assert (best and best.alpha) == strongest(blur, 0.05)


def test_candidates_take_turns_and_the_lowest_f_wins():
    tuned = tune(FakeTuner(a=0.05, b=0.05), budget=9)
    assert [trial.regularization for trial in tuned.trials[:4]] == ["a", "b", "a", "b"]
    assert (tuned.best.regularization, tuned.best.alpha) == ("a", strongest(0.05, 0.1))
    reports = []
    tuned = tune(FakeTuner(a=0.05, b=0.05), budget=4, report=reports.append)
    assert len(tuned.trials) == 3
    assert len(reports) == 7


def test_what_is_best_is_tried_once_more_for_half_as_long():
    tuner = FakeTuner(a=0.05, b=0.05)
    tuned = tune(tuner, budget=9)
    best, plain = tuned.half
    assert tuner.shorter == [(tuned.best.regularization, tuned.best.alpha), ("", 0.0)]
    assert (best.regularization, best.alpha) == (tuned.best.regularization, tuned.best.alpha)
    assert best.quality.flicker == pytest.approx((2.5 + tuned.best.quality.flicker) / 2)
    assert plain.quality == tuned.plain.quality
    assert tune(FakeTuner(a=9.0)).half is None
    tuner = FakeTuner(a=0.05)
    tuner.iterations = 1
    assert tune(tuner).half is None


def test_nothing_is_named_best_if_all_cost_too_much():
    assert tune(FakeTuner(a=9.0)).best is None
    with pytest.raises(ValueError, match="budget of 2 does not suffice"):
        tune(FakeTuner(a=0, b=0), budget=2)


# ---------------------------------------------------------------- with a real model


def config(root, name="hdr_transinv_a0.8", num_images=24):
    config = Config.fromfile(ROOT / "configs" / "tempreg" / f"{name}.py")
    network = config.model.model if "model" in config.model else config.model
    network.generator = dict(type="HDRCNN", encoder_channels=((8,), (8,)), bottleneck_channels=(8,))
    dataset = config.train_dataloader.dataset
    dataset.update(data_root=str(root), num_images=num_images, size=32)
    dataset.pipeline[0].crop_size = (32, 32)
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    return config


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("tuning") / "start.pth"
    generator = dict(type="HDRCNN", encoder_channels=((8,), (8,)), bottleneck_channels=(8,))
    model = MODELS.build(dict(type="HDRReconstructionModel", generator=generator))
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def test_a_trial_is_a_fine_tuning_that_is_not_made_twice(tmp_path, checkpoint):
    tuner = Tuner(config(tmp_path), str(checkpoint), tmp_path / "tune", iterations=4, num_clips=4, num_frames=6)
    assert len(tuner.held_out) == 20
    assert tuner.transform["type"] == "RandomAffine"
    start, trial = tuner.start(), tuner.trial("sparse Jacobian", 0.9)
    assert np.isfinite([trial.quality.psnr, trial.quality.smoothness, trial.quality.residual]).all()
    assert trial.quality != start.quality
    weights = torch.load(trial.checkpoint, weights_only=False)["state_dict"]
    before = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert list(weights) == list(before)
    assert not all(torch.equal(weights[name], before[name]) for name in before)
    with mock.patch("mmtempreg.tuning.tuner.quiet_runner", side_effect=AssertionError("made twice")):
        assert tuner.trial("sparse Jacobian", 0.9) == trial
    dumped = Config.fromfile(next((tmp_path / "tune").rglob("*.py")))
    assert dumped.model.regularization.type == "SparseJacobianLoss"
    assert dumped.model.alpha == 0.9
    assert dumped.train_cfg.max_iters == 4
    assert sorted(dumped.train_dataloader.dataset.indices) == tuner.held_out


def test_kept_trials_are_of_what_the_checkpoint_holds(tmp_path, checkpoint):
    path, moved = tmp_path / "a.pth", tmp_path / "b.pth"
    path.write_bytes(checkpoint.read_bytes())
    options = dict(iterations=1, num_clips=2, num_frames=3)
    first = Tuner(config(tmp_path, num_images=6), str(path), tmp_path / "tune", **options).trial("", 0)
    path.rename(moved)
    with mock.patch("mmtempreg.tuning.tuner.quiet_runner", side_effect=AssertionError("made twice")):
        assert Tuner(config(tmp_path, num_images=6), str(moved), tmp_path / "tune", **options).trial("", 0) == first
    held = torch.load(moved, weights_only=True)
    held["state_dict"] = {name: value * 0.5 if value.ndim == 4 else value for name, value in held["state_dict"].items()}
    torch.save(held, path)
    second = Tuner(config(tmp_path, num_images=6), str(path), tmp_path / "tune", **options).trial("", 0)
    assert second.quality != first.quality
    assert second.checkpoint != first.checkpoint
    assert Path(first.checkpoint).exists()


def test_a_stock_config_gets_the_distance_of_its_loss(tmp_path, checkpoint):
    tuner = Tuner(config(tmp_path, "hdr_finetune"), str(checkpoint), tmp_path, num_clips=4)
    wrapped = tuner.trial_config("transform invariance", 0.5).model
    assert wrapped.transform == dict(type="RandomAffine")
    assert wrapped.regularization == dict(type="TransformInvarianceLoss", distance=dict(type="MSELoss"))
    assert "regularization" not in tuner.trial_config("", 0).model
    assert list(tuner.candidates) == list(CANDIDATES)
    best = tuner.trial_config("sparse Jacobian, L1, local motion", 0.5).model
    assert best.regularization == dict(type="SparseJacobianLoss", distance=dict(type="L1Loss"))
    assert [one.type for one in best.transform.transforms] == ["RandomAffine", "RandomElastic"]
    assert MODELS.build(best).regularizer.alpha == 0.5


def test_a_wrapped_config_keeps_its_transform_and_distance(tmp_path, checkpoint):
    wrapped = config(tmp_path, "hdr_jacobian_a0.95")
    wrapped.merge_from_dict({"model.transform.scale": 1.5, "model.regularization.distance": dict(type="L1Loss")})
    tuner = Tuner(wrapped, str(checkpoint), tmp_path, num_clips=4)
    first = tuner.trial_config("transform invariance", 0.5).model
    assert first.transform == dict(type="RandomAffine", scale=1.5)
    assert first.regularization == dict(type="TransformInvarianceLoss", distance=dict(type="L1Loss"))
    assert tuner.wrapping("sparse Jacobian, L1, local motion")["transform"]["transforms"][0]["scale"] == 1.5


def test_too_few_images_are_told(tmp_path, checkpoint):
    with pytest.raises(ValueError, match="has 24 images: too few to hold out 16"):
        Tuner(config(tmp_path), str(checkpoint), tmp_path, num_clips=16)
    several = config(tmp_path)
    several.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[several.train_dataloader.dataset])
    with pytest.raises(ValueError, match="several sets"):
        Tuner(several, str(checkpoint), tmp_path, num_clips=4)


@pytest.mark.slow
def test_the_command_prints_what_it_tried_and_what_to_take(tmp_path, checkpoint):
    config(tmp_path).dump(tmp_path / "my_config.py")
    command = [sys.executable, "tools/tune_alpha.py", tmp_path / "my_config.py", checkpoint, "--iterations", "2"]
    command += ["--num-clips", "4", "--num-frames", "5", "--budget", "4", "--max-psnr-loss", "50", "--min-detail", "0"]
    command += ["--work-dir", tmp_path / "out"]
    environment = dict(os.environ, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")
    done = forked.run(list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for word in ("as it came", "plain fine-tuning", "transform invariance", "sparse Jacobian", "local motion"):
        assert word in done.stdout
    # after two iterations nothing flickers less, and it says so
    assert "Nothing that was tried flickers less than the network as it came" in done.stdout
    assert len(done.stdout.splitlines()) <= 20
    assert json.loads((tmp_path / "out" / "tuned.json").read_text())["best"] is None
    missing = forked.run(
        [sys.executable, "tools/tune_alpha.py", str(tmp_path / "my_config.py"), "none.pth"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert missing.returncode == 1
    assert "there is no checkpoint none.pth" in missing.stderr
