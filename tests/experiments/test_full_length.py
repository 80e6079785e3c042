"""The run for a GPU (`experiments.full_length`), tiny and on a CPU."""

import csv
import os
import pickle
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.full_length import Plan, causes, fine_tunings, jobs
from experiments.jobs import Job, run_jobs
from mmtempreg.openmmlab.checkpoints import anti_aliasing_of, read_checkpoint
from testing import forked

ROOT = Path(__file__).resolve().parents[2]


def _note(folder, name):
    (folder / name).write_text(str(time.monotonic()))


def _fail():
    raise ValueError("of purpose")


def _sleep():
    time.sleep(600)


def test_jobs_wait_for_what_they_need_and_end_in_time(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    listed = [
        Job("late", "a", _note, (tmp_path, "second"), ("early",)),
        Job("early", "a", _note, (tmp_path, "first")),
        Job("fails", "b", _fail),
        Job("never", "b", _note, (tmp_path, "never"), ("fails",)),
        Job("endless", "c", _sleep),
    ]
    states = run_jobs(listed, dict(a=1, b=1, c=1), tmp_path / "logs", time.monotonic() + 4, method="fork")
    expected = dict(late="done", early="done", fails="failed", never="not started", endless="out of time")
    assert states == expected
    assert float(first.read_text()) < float(second.read_text())
    assert not (tmp_path / "never").exists()
    assert "ValueError: of purpose" in (tmp_path / "logs" / "fails.log").read_text()


def test_a_job_is_spawned_in_its_environment(tmp_path):
    """As a GPU needs it; by functions of the standard library, which are imported at once."""
    listed = [
        Job("a", "a", os.system, (f'echo "$OMP_NUM_THREADS" > {tmp_path}/a',), environment=(("OMP_NUM_THREADS", "7"),))
    ]
    assert run_jobs(listed, dict(a=1), tmp_path / "logs", time.monotonic() + 60) == dict(a="done")
    assert (tmp_path / "a").read_text() == "7\n"


def test_every_fine_tuning_has_its_own_files():
    plan, runs = Plan(Path("out")), fine_tunings([0, 1])
    listed = list(jobs(plan, runs, speed=True))
    assert len({job.name for job in listed}) == len(listed)
    assert len({run.name for run in runs}) == len(runs) == 32
    names = {job.name for job in listed}
    assert all(need in names for job in listed for need in job.needs)
    assert [pickle.loads(pickle.dumps(job)) for job in listed] == listed  # as they are spawned


def test_what_is_compared_with_anti_aliasing_has_its_own_files_too():
    runs = causes([0, 1])
    assert len({run.name for run in runs}) == len(runs) == 29
    names = [job.name for job in jobs(replace(Plan(Path("out")), start=Path("a.pth"), crop=64), runs, speed=False)]
    assert len(set(names)) == len(names)
    assert {"anti_aliased", "test_anti_aliased"} < set(names)
    assert "baseline" not in names


WITH_FORKS = """
from functools import partial
from experiments import full_length
full_length.run_jobs = partial(full_length.run_jobs, method="fork")
full_length.main()
"""
"""The command, whose jobs do not import everything anew."""


def toy(folder, *options):
    """Runs it."""
    options = (*options, "--device", "cpu", "--at-once", "1", "--tests", "1", "--speed", "no")
    command = [sys.executable, "-c", WITH_FORKS, folder, "--toy", *options]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


@pytest.mark.slow
def test_it_runs_on_a_cpu_at_toy_size(tmp_path):
    done = toy(tmp_path)
    assert "8 of 8 jobs done" in done.stdout
    rows = list(csv.DictReader((tmp_path / "iterations.csv").read_text().splitlines()))
    assert {(row["strategy"], row["domain"], row["iterations"]) for row in rows} == {
        ("baseline", "procedural", "0"),
        ("finetune", "photographs", "1"),
        ("finetune", "photographs", "2"),
        ("transinv_mixed", "photographs", "2"),
    }
    assert all(float(row["pans/SaturatedPSNR"]) > 0 for row in rows)
    assert len(list((tmp_path / "checkpoints").glob("*.pth"))) == 4


@pytest.mark.slow
def test_anti_aliasing_runs_on_a_cpu_at_toy_size(tmp_path):
    toy(tmp_path, "--causes", "-")
    rows = list(csv.DictReader((tmp_path / "iterations.csv").read_text().splitlines()))
    assert {row["strategy"] for row in rows} == {"baseline", "baseline_aa", "scratch_aa", "steady_aa"}
    weights = {path.stem: read_checkpoint(path) for path in (tmp_path / "checkpoints").glob("*.pth")}
    anti_aliased = {name for name, weight in weights.items() if anti_aliasing_of(weight)}
    assert anti_aliased == {name for name in weights if name.endswith("anti_aliased") or "_aa_" in name}
