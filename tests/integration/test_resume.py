"""Killed and resumed, a run ends as the one that was left alone."""

import contextlib
import os
import random
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import CheckpointLoader, Runner
from torch.utils.data import BatchSampler, DataLoader, Dataset

from mmtempreg.engine.resumption import newest_checkpoint
from mmtempreg.engine.safe_checkpoint_hook import AtomicLocalBackend
from mmtempreg.engine.seeded_loading import EndlessBatches, SeededBatches, seeded_loader
from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.seeding import seed_everything
from testing import killed_runs as kill
from testing.stock_models import FAMILIES, family_config, real_images


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    kill.prepare()
    folder = tmp_path_factory.mktemp("images")
    real_images(folder)
    return folder


@pytest.mark.parametrize(("loop", "workers", "processes"), [("iter", 2, 1), ("epoch", 2, 1), ("iter", 0, 2)], ids=str)
@pytest.mark.slow
def test_killed_at_random_moments(images, tmp_path, loop, workers, processes):
    alone, killed = (kill.run_config(images, tmp_path / name, loop, workers) for name in ("alone", "killed"))
    seconds = kill.run_alone(alone, processes)
    rng = random.Random(0)
    kills = 0
    while kills < 3:
        outcome = kill.run_with_kills(killed, tmp_path / "alone", rng, seconds, 3 - kills, processes)
        assert not outcome.differences
        kills += outcome.kills


def die_at(operation):
    """Kills the process amid its n-th write, rename or removal of a file of the run."""

    def sabotage():
        count = 0
        write, replace, remove = Path.write_bytes, os.replace, os.remove

        def counted(function, *arguments, half=None):
            nonlocal count
            count += 1
            if count == operation:
                if half is not None:
                    write(arguments[0], half)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        Path.write_bytes = lambda path, data: counted(write, path, data, half=data[: len(data) // 2])
        os.replace = lambda a, b: counted(replace, a, b)
        os.remove = lambda path: counted(remove, path)

    return sabotage


@pytest.mark.slow
def test_killed_amid_each_file_operation_of_two_checkpoints(images, tmp_path):
    """Each checkpoint writes, renames, and names itself the last in two more; later ones remove the one before."""
    alone, killed = (kill.run_config(images, tmp_path / name, "iter", 0) for name in ("alone", "killed"))
    kill.run_alone(alone)
    (tmp_path / "killed").mkdir()
    for operation in (1, 2, 3, 4, 5, 6, 7, 8):
        child = kill.start(killed, first=die_at(operation))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        if operation > 5:
            kill.final_state(tmp_path / "killed")  # the last good checkpoint can be read
    assert kill.wait(kill.start(killed), 300)
    assert not list(kill.differences(kill.final_state(tmp_path / "alone"), kill.final_state(tmp_path / "killed")))
    assert not list((tmp_path / "killed").glob(".partial_*"))
    assert len(list((tmp_path / "killed").glob("*.pth"))) == 1


def weights(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location="cpu")["state_dict"]


def train(config, **options):
    config.merge_from_dict(options)
    done = len(os.listdir(config.work_dir)) if os.path.isdir(config.work_dir) else 0
    config.experiment_name = f"{config.work_dir}_{done}"  # MMEngine would log into that of a run of the same second
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


@pytest.mark.slow
def test_resume_goes_on_from_the_last_checkpoint_not_from_the_one_fine_tuned(images, tmp_path):
    config = kill.run_config(images, tmp_path / "first", "iter", 0)
    train(config, **{"train_cfg.max_iters": 2, "resume": False})
    start = str(tmp_path / "first" / "iter_2.pth")
    # nothing to resume: begins with the weights of `load_from`, at iteration 0
    config = kill.run_config(images, tmp_path / "second", "iter", 0)
    (tmp_path / "second").mkdir()
    runner = train(config, **{"train_cfg.max_iters": 2, "load_from": start})
    assert runner.iter == 2
    first, second = (weights(tmp_path / name / "iter_2.pth") for name in ("first", "second"))
    assert not torch.equal(first["generator.body.0.weight"], second["generator.body.0.weight"])
    # begun anew beside it, which is said
    config = kill.run_config(images, tmp_path / "first", "iter", 0)
    config.log_level = "WARNING"
    train(config, **{"train_cfg.max_iters": 2, "resume": False})
    log = "".join(path.read_text() for path in sorted((tmp_path / "first").glob("*/*.log")))
    assert "checkpoints of an earlier run (iter_2.pth). This one begins anew" in log
    # something to resume
    config = kill.run_config(images, tmp_path / "second", "iter", 0)
    runner = train(config, **{"train_cfg.max_iters": 4, "load_from": start})
    assert runner._resume
    assert runner.iter == 4
    # a checkpoint of the run itself is resumed from as it stands
    config = kill.run_config(images, tmp_path / "second", "iter", 0)
    config.default_hooks.checkpoint.max_keep_ckpts = -1
    own = str(tmp_path / "second" / "iter_4.pth")
    runner = train(config, **{"train_cfg.max_iters": 5, "load_from": own})
    assert runner._load_from == own


@pytest.mark.slow
def test_a_gan_with_averaged_weights_is_resumed_amid_its_schedule(images, tmp_path):
    """RealESRGAN: random degradations, two optimisers, and a generator that is trained every second step only."""
    (family,) = (f for f in FAMILIES if f.name == "real_esrgan")

    def config(name, steps):
        made = family_config(family, images, tmp_path / name, steps, small=True)
        made.model.model.update(perceptual_loss=None, train_cfg=dict(disc_steps=2, start_iter=-1))
        made.train_dataloader.num_workers = 1
        made.default_hooks.checkpoint.interval = 3
        return made

    train(config("alone", 5))
    train(config("stopped", 3))
    resumed = config("stopped", 5)
    resumed.resume = True
    runner = train(resumed)
    assert int(runner.model.step_counter) == 5
    alone, stopped = (weights(tmp_path / name / "iter_5.pth") for name in ("alone", "stopped"))
    assert not list(kill.differences(dict(alone), dict(stopped)))
    first = weights(tmp_path / "stopped" / "iter_3.pth")
    for part in ("generator", "generator_ema", "discriminator"):
        changed = [
            name for name in first if name.startswith(f"{part}.") and not torch.equal(first[name], stopped[name])
        ]
        assert changed, part


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optim_wrapper.accumulative_counts": 3}, ValueError, "amid the accumulation of 3 gradients"),
        ({"train_dataloader": "built"}, TypeError, "needs `train_dataloader` as a config"),
    ],
    ids=["accumulation", "loader"],
)
@pytest.mark.slow
def test_what_cannot_be_resumed_exactly_is_refused(images, tmp_path, options, error, message):
    config = kill.run_config(images, tmp_path / "run", "iter", 0)
    config.resume = False
    if "train_dataloader" in options:
        loader = Runner.build_dataloader(config.train_dataloader)
        runner = Runner.from_cfg(config)
        runner._train_dataloader = loader
        runner._train_loop = dict(config.train_cfg)
    else:
        config.merge_from_dict(options)
        runner = Runner.from_cfg(config)
    with pytest.raises(error, match=message):
        runner.train()


def test_another_epoch_length_is_refused(images, tmp_path):
    config = kill.run_config(images, tmp_path / "run", "epoch", 0)
    config.default_hooks.checkpoint.update(interval=3, max_keep_ckpts=-1)
    train(config, **{"train_cfg.max_epochs": 2, "resume": False})
    config = kill.run_config(images, tmp_path / "run", "epoch", 0)
    with pytest.raises(ValueError, match="had batches of 2 of 8 images on 1 process.*this one has 1 of 8"):
        train(config, **{"train_dataloader.batch_size": 1, "load_from": str(tmp_path / "run" / "iter_6.pth")})


def stopped(images, work_dir, loop="epoch", steps=4, keep=-1):
    """A run of some steps, with a checkpoint each second step."""
    config = kill.run_config(images, work_dir, loop, 0)
    config.default_hooks.checkpoint.max_keep_ckpts = keep
    limit = (
        {"train_cfg.max_epochs": steps // kill.STEPS_PER_EPOCH} if loop == "epoch" else {"train_cfg.max_iters": steps}
    )
    train(config, **limit, resume=False)
    return kill.run_config(images, work_dir, loop, 0)


@pytest.mark.parametrize(
    ("loop", "noted"),
    [("epoch", True), ("iter", True), ("epoch", False)],  # an older checkpoint of an endless run does not tell
)
@pytest.mark.slow
def test_larger_batches_are_refused_as_smaller_ones_are(images, tmp_path, loop, noted):
    config = stopped(images, tmp_path, loop, 8)
    path = tmp_path / "iter_8.pth"
    if not noted:
        held = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
        del held["meta"]["exact_resume"]
        torch.save(held, path)
    with pytest.raises(ValueError, match="had batches of 2 of 8" if noted else "does not fit epochs of 2 iterations"):
        train(config, **{"train_dataloader.batch_size": 4})


@pytest.mark.slow
def test_what_differs_from_the_run_that_is_resumed_is_said(images, tmp_path):
    config = stopped(images, tmp_path)
    config.log_level = "WARNING"
    train(config, **{"model.alpha": 0.5, "optim_wrapper.optimizer.lr": 2e-3, "train_dataloader.num_workers": 1})
    log = "".join(path.read_text() for path in sorted(tmp_path.glob("*/*.log")))
    (line,) = re.findall("Resumes with other settings.*", log)
    assert "model.alpha: not there -> 0.5" in line
    assert "optim_wrapper.optimizer.lr: 0.001 -> 0.002" in line
    assert "num_workers" not in line
    assert "the learning rate and all else that the optimiser holds stay those of the checkpoint" in line


def spoil_newest(folder, kind):
    newest, pointer = folder / "iter_4.pth", folder / "last_checkpoint"
    if kind == "cut":
        newest.write_bytes(newest.read_bytes()[:-1000])
    elif kind == "weights alone":
        torch.save(dict(state_dict=weights(newest)), newest)
    elif kind == "pointer gone":
        pointer.unlink()
    elif kind == "pointer empty":
        pointer.write_text("")
    elif kind == "pointer astray":
        pointer.write_text("/nowhere/iter_9.pth")


@pytest.mark.parametrize(
    ("kind", "expected", "says"),
    [
        ("cut", 2, "Not resumed from: .*iter_4.pth cannot be read as a checkpoint: it is cut off"),
        ("weights alone", 2, "Not resumed from: .*iter_4.pth has no meta, optimizer"),
        ("pointer gone", 4, None),
        ("pointer empty", 4, "last_checkpoint is empty"),
        ("pointer astray", 4, "names /nowhere/iter_9.pth, which is not in"),
    ],
)
def test_the_newest_checkpoint_that_can_be_read(images, tmp_path, kind, expected, says):
    stopped(images, tmp_path)
    spoil_newest(tmp_path, kind)
    told = []
    assert newest_checkpoint(tmp_path, told.append) == tmp_path / f"iter_{expected}.pth"
    assert [bool(re.search(says, line)) for line in told] == [True] if says else not told


def test_none_can_be_read(images, tmp_path):
    stopped(images, tmp_path)
    for path in tmp_path.glob("*.pth"):
        path.write_bytes(b"spoilt")
    with pytest.raises(ValueError, match="none of the 2 checkpoints in .* can be resumed from"):
        newest_checkpoint(tmp_path, lambda text: None)


@pytest.mark.slow
def test_a_copied_work_directory_is_resumed_in_its_place(images, tmp_path):
    stopped(images, tmp_path / "old", "iter", 4, keep=1)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    (tmp_path / "old" / "iter_4.pth").write_bytes(b"spoilt since")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").glob("*.pth")}
    config = kill.run_config(images, tmp_path / "new", "iter", 0)
    runner = train(config, **{"train_cfg.max_iters": 6})
    assert runner.iter == 6
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").glob("*.pth")} == before
    assert [path.name for path in (tmp_path / "new").glob("*.pth")] == ["iter_6.pth"]


@pytest.mark.slow
def test_a_copy_does_not_go_back_to_the_original(images, tmp_path):
    stopped(images, tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    (tmp_path / "new" / "iter_4.pth").unlink()
    told = []
    assert newest_checkpoint(tmp_path / "new", told.append) == tmp_path / "new" / "iter_2.pth"
    assert re.search(f"names {tmp_path}/old/iter_4.pth, which is not in {tmp_path}/new: looks", told[0])
    (tmp_path / "new" / "iter_2.pth").unlink()
    assert newest_checkpoint(tmp_path / "new", told.append) is None
    # where the config says that checkpoints lie elsewhere, they do
    elsewhere = kill.run_config(images, tmp_path / "run", "iter", 0)
    elsewhere.default_hooks.checkpoint.out_dir = str(tmp_path / "all")
    (tmp_path / "run").mkdir()
    for steps in (2, 4):
        runner = train(elsewhere.copy(), **{"train_cfg.max_iters": steps})
        assert runner.iter == steps
    assert [path.name for path in (tmp_path / "all" / "run").glob("*.pth")] == ["iter_4.pth"]
    assert not list((tmp_path / "run").glob("*.pth"))


def said(work_dir, text):
    log = "".join(path.read_text() for path in sorted(work_dir.glob("*/*.log")))
    return re.findall(f".*{text}.*", log)


@pytest.mark.slow
def test_images_that_were_replaced_and_hooks_that_came_are_said(images, tmp_path):
    copied = tmp_path / "images"
    shutil.copytree(images, copied)
    config = stopped(copied, tmp_path / "run", keep=1)
    config.log_level = "WARNING"
    train(config.copy(), **{"train_cfg.max_epochs": 2})
    assert not said(tmp_path / "run", "Resumes with other")
    photo = copied / "gt" / "cat_0.png"
    photo.write_bytes((copied / "gt" / "rocket_0.png").read_bytes())
    size = sum(path.stat().st_size for kind in ("gt", "input_x2") for path in (copied / kind).iterdir()) / 2**20
    config.custom_hooks.append(dict(type="NormEvalHook"))
    train(config, **{"train_cfg.max_epochs": 3})
    (line,) = said(tmp_path / "run", "Resumes with other training data")
    assert re.search(rf"16 files of .* MiB, the newest of .* -> 16 files of {size:.2f} MiB, the newest of", line)
    (line,) = said(tmp_path / "run", "Resumes with other settings")
    assert "custom_hooks.NormEvalHook.type: not there -> 'NormEvalHook'" in line
    assert "EMAHook" not in line


@pytest.mark.slow
def test_what_an_optimiser_cannot_go_on_with_is_refused(images, tmp_path):
    config = stopped(images, tmp_path, keep=1)
    path = tmp_path / "iter_4.pth"
    sgd = {"optim_wrapper.optimizer": dict(_delete_=True, type="SGD", lr=1e-3)}
    with pytest.raises(ValueError, match=r"iter_4\.pth was trained with Adam, and SGD cannot go on where it stopped"):
        train(config.copy(), **sgd)
    held = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    del held["meta"]["exact_resume"]  # as an older one
    torch.save(held, path)
    with pytest.raises(ValueError, match="was trained with another optimiser, and SGD cannot go on"):
        train(config.copy(), **sgd)
    held["optimizer"]["state"][0]["exp_avg"][0] = torch.nan
    torch.save(held, path)
    spoilt = r"iter_4\.pth holds values of the optimiser that are NaN or infinite, such as state\.0\.exp_avg"
    told = []
    with pytest.raises(ValueError, match="none of the 1 checkpoints"):
        newest_checkpoint(tmp_path, told.append)
    assert re.search(spoilt, told[0])
    with pytest.raises(ValueError, match=spoilt):
        train(config.copy(), load_from=str(path))


@pytest.mark.parametrize(
    ("loop", "sampler", "says"),
    [
        ("epoch", "DefaultSampler", "an epoch has no batch: a batch is 99 of 8"),
        ("iter", "DefaultSampler", "less than a"),
    ],
)
@pytest.mark.slow
def test_a_batch_that_is_larger_than_the_data_is_refused(images, tmp_path, loop, sampler, says):
    config = kill.run_config(images, tmp_path, loop, 0)
    options = {"train_dataloader.batch_size": 99, "train_dataloader.drop_last": True, "resume": False}
    config.param_scheduler = None  # MMEngine's schedules have an error of their own for an epoch without iterations
    with pytest.raises(ValueError, match=says):
        train(config, **options, **{"train_dataloader.sampler.type": sampler})
    assert not list(tmp_path.glob("*.pth"))


@pytest.mark.slow
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(images, tmp_path):
    config = stopped(images, tmp_path)
    config.custom_hooks.append(dict(type="FiniteLossHook"))
    config.resume = False  # a resumed optimiser keeps its learning rate
    with pytest.raises(FloatingPointError, match="the loss is NaN or infinite at iteration .*loss_rec"):
        train(config, **{"optim_wrapper.optimizer.lr": 1e30, "default_hooks.checkpoint.interval": 50})
    for path in tmp_path.glob("*.pth"):
        assert all(value.isfinite().all() for value in weights(path).values())
    # without the hook nothing stops it, but no spoilt network is saved either
    config = kill.run_config(images, tmp_path, "iter", 0)
    with pytest.raises(ValueError, match="is not written: the network holds weights that are NaN"):
        train(config, **{"optim_wrapper.optimizer.lr": 1e30, "resume": False})


class Noise(Dataset):
    """Each sample is its index and a draw of each of the three generators."""

    metainfo = dict(name="noise")

    def __len__(self):
        return 10

    def __getitem__(self, index):
        assert type(index) is int
        return index, random.random(), np.random.rand(), float(torch.rand(()))


def loader(workers=0, skip=0, epoch=0, persistent=False, batch_size=3):
    sampler = DefaultSampler(Noise(), shuffle=True, seed=1)
    batches = SeededBatches(BatchSampler(sampler, batch_size, False), seed=7, epoch=epoch, skip=skip)
    plain = DataLoader(Noise(), num_workers=workers, persistent_workers=persistent)
    batches.set_epoch(epoch)
    return seeded_loader(plain, batches)


def rounds(data, epochs, first=0):
    result = []
    for epoch in range(first, first + epochs):
        data.batch_sampler.set_epoch(epoch)
        result += [[value.tolist() for value in batch] for batch in data]
    return result


@pytest.mark.parametrize(("workers", "persistent"), [(1, False), (2, True)])
def test_samples_do_not_depend_on_the_workers(workers, persistent):
    expected = rounds(loader(), 2)
    assert rounds(loader(workers, persistent=persistent), 2) == expected
    assert expected[:4] != expected[4:]  # another epoch has other draws


def test_the_order_is_that_of_the_sampler():
    sampler = DefaultSampler(Noise(), shuffle=True, seed=1)
    sampler.set_epoch(3)
    seen = [i for batch in rounds(loader(), 1, first=3) for i in batch[0]]
    assert seen == list(sampler)


@settings(max_examples=30, deadline=None)
@given(skip=st.integers(0, 11), batch_size=st.integers(1, 11))
def test_passing_over_batches_gives_the_rest(skip, batch_size):
    def first(n, data, passed):
        stream = EndlessBatches(data, passed)
        return [next(stream) for _ in range(n)]

    torch.testing.assert_close(
        first(skip + 4, loader(skip=skip, batch_size=batch_size), skip)[skip:],
        first(skip + 4, loader(batch_size=batch_size), 0)[skip:],
        rtol=0,
        atol=0,
    )


def test_each_round_of_an_endless_run_is_an_epoch_of_the_sampler():
    batches = SeededBatches(BatchSampler(DefaultSampler(Noise(), seed=2), 5, False), seed=0)
    stream = EndlessBatches(seeded_loader(DataLoader(Noise()), batches), 0)
    sampler, noise = DefaultSampler(Noise(), seed=2), []
    for epoch in range(3):
        two = [next(stream), next(stream)]
        sampler.set_epoch(epoch)
        assert torch.cat([indices for indices, *_ in two]).tolist() == list(sampler)
        noise.append(torch.cat([draws for _, draws, *_ in two]).flatten())
    assert len(torch.cat(noise).unique()) == sum(len(draws) for draws in noise)  # other augmentation in each


def test_an_endless_sampler_is_not_restarted():
    batches = SeededBatches(BatchSampler(InfiniteSampler(Noise(), seed=2), 4, False), seed=0)
    stream = EndlessBatches(seeded_loader(DataLoader(Noise()), batches), 0)
    expected = iter(InfiniteSampler(Noise(), seed=2))
    for _ in range(8):
        assert next(stream)[0].tolist() == [next(expected) for _ in range(4)]
    assert batches.epoch == 0


def test_the_dataset_inside_is_reached():
    data = loader().dataset
    assert data.metainfo == dict(name="noise")
    assert len(data) == 10
    with pytest.raises(AttributeError):
        data.nothing  # noqa: B018


def test_seeds_reach_all_three_generators():
    draws = []
    for entropy in ((1, 2), (1, 2), (2, 1)):
        seed_everything(*entropy)
        draws.append((random.random(), np.random.rand(), float(torch.rand(()))))
    assert draws[0] == draws[1]
    assert all(a != b for a, b in zip(draws[0], draws[2]))


def test_files_are_whole_or_not_there(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with replace_when_written(path) as partial:
        assert partial.suffix == ".txt"
        partial.write_text("one")
    with contextlib.suppress(KeyError), replace_when_written(path) as partial:
        partial.write_text("tw")
        raise KeyError
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_removals_wait_for_the_end_and_do_not_happen_after_a_failure(tmp_path):
    backend = AtomicLocalBackend()
    for name in ("a", "b"):
        backend.put_text(name, tmp_path / name)
    with contextlib.suppress(KeyError), backend.removing_last():
        backend.remove(tmp_path / "a")
        raise KeyError
    assert (tmp_path / "a").exists()
    with backend.removing_last():
        backend.remove(tmp_path / "a")
        assert (tmp_path / "a").exists()
    assert not (tmp_path / "a").exists()
    backend.remove(tmp_path / "b")
    assert not (tmp_path / "b").exists()
