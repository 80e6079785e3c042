"""Jobs of a run that must end in time: each a process, started when what it needs is done and there is room for it."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """A call in a process of its own.

    Attributes:
        name: Of the job, and of its log.
        kind: What it takes a place of.
        work: What is called.
        arguments: Of the call.
        needs: Names of the jobs that must be done before.
        environment: What differs in its environment.
    """

    name: str
    kind: str
    work: Callable[..., None]
    arguments: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def _run(job: Job, log: Path) -> None:
    multiprocessing.set_start_method("fork", force=True)  # of its data loaders' workers; it was itself spawned
    with open(log, "w", buffering=1) as file:
        sys.stdout = sys.stderr = file
        try:
            job.work(*job.arguments)
        except BaseException:
            traceback.print_exc()
            raise SystemExit(1) from None


def run_jobs(
    jobs: Sequence[Job], places: Mapping[str, int], logs: Path, until: float, method: str = "spawn"
) -> dict[str, str]:
    """Runs jobs, the first of the list that can run first, and ends those that are not done in time.

    Args:
        jobs: In the order of their importance.
        places: How many jobs of each kind run at a time.
        logs: Folder for what they print: NAME.log.
        until: `time.monotonic()` at which all ends.
        method: How processes are started, as in `multiprocessing`.

    Returns:
        'done', 'failed', 'out of time' or 'not started' for each name, also in `jobs.json` of the folder.
    """
    logs.mkdir(parents=True, exist_ok=True)
    context: Any = multiprocessing.get_context(method)
    started, state = time.monotonic(), {job.name: "not started" for job in jobs}
    running: dict[str, tuple[Job, Any, float]] = {}
    while time.monotonic() < until:
        for name, (_, process, since) in list(running.items()):
            if process.exitcode is not None:
                state[name] = "failed" if process.exitcode else "done"
                now = time.monotonic()
                print(f"{now - started:6.0f} s  {name}: {state[name]} in {now - since:.0f} s", flush=True)
                del running[name]
        waiting = [job for job in jobs if state[job.name] == "not started" and job.name not in running]
        possible = [job for job in waiting if all(state.get(need) in ("done", None) for need in job.needs)]
        for job in possible:
            if sum(other.kind == job.kind for other, *_ in running.values()) < places[job.kind]:
                process = context.Process(target=_run, args=(job, logs / f"{job.name}.log"))
                before = dict(os.environ)
                os.environ.update(job.environment)  # the process begins with it, before it imports anything
                process.start()
                for variable, _ in job.environment:
                    os.environ.pop(variable)
                    os.environ.update({variable: before[variable]} if variable in before else {})
                running[job.name] = (job, process, time.monotonic())
        if not running:
            break
        time.sleep(0.2)
    for name, (_, process, _) in running.items():
        process.kill()
        state[name] = "out of time"
    for _, process, _ in running.values():
        process.join()
    (logs / "jobs.json").write_text(json.dumps(state, indent=1))
    return state
