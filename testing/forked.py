"""Programs of Python that start at once: forks of this process, which has imported what takes them seconds each."""

from __future__ import annotations

import atexit
import contextlib
import gc
import inspect
import logging
import multiprocessing.process
import multiprocessing.util
import os
import runpy
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn
from unittest import mock

import torch
from mmagic.registry import MODELS
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from mmtempreg.utils import atomic_write, claims

CRASHED = 1
"""Status of a program that an exception has ended, as the interpreter gives it."""


class Popen(subprocess.Popen):
    """`subprocess.Popen` whose programs, where they are `sys.executable`, begin as forks; those that they start too.

    A script, `-m MODULE` or `-c CODE` is run as `__main__` in the directory, the environment and with the streams that
    are given, and ends, or is killed, as any process. What this process has imported, it has too.
    """

    def _execute_child(self, *given: Any) -> None:
        started = inspect.signature(super()._execute_child).bind(*given).arguments
        args = [os.fspath(part) for part in started["args"]]
        if args[0] != sys.executable:
            return super()._execute_child(*given)
        MODELS.get("SiameseEditModel")  # imports all of MMagic's, the first time
        streams = [started[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = os.fork()
        if not self.pid:
            _be(args[1:], streams, started["cwd"], started["env"], started["start_new_session"], started["preexec_fn"])
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(started[name] for name in names))


def run(command: Sequence[Any], **options: Any) -> subprocess.CompletedProcess:
    """`subprocess.run` with this `Popen`."""
    with mock.patch.object(subprocess, "Popen", Popen):
        return subprocess.run(list(map(str, command)), **options)


def _be(
    args: list[str], streams: Sequence[int], cwd: str | None, env: Mapping[str, str] | None, session: bool, first: Any
) -> NoReturn:
    """Becomes the program."""
    gc.freeze()  # what came along need not be gone through whenever MMEngine collects garbage, with each dataset
    status = CRASHED
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # that ends it, as it does a process that has only just begun
            signal.signal(number, signal.SIG_DFL)
        if session:
            os.setsid()
        for number, stream in enumerate(streams):
            if stream != -1:
                os.dup2(stream, number)
        os.closerange(3, 4096)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, buffering=1, closefd=False) for number, mode in enumerate(("r", "w", "w"))
        )
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        os.chdir(cwd or os.curdir)
        _forget()
        subprocess.Popen = Popen  # type: ignore[misc]
        if first is not None:
            first()
        # as from a terminal: what a shell starts in the background ignores Ctrl-C, and so do its children
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _status() as held:
            _run(args)
        status = held[0]
        multiprocessing.util._exit_function()  # ends the workers of data loaders
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _forget() -> None:
    """Drops what this process is in the midst of, and a new one is not."""
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        kind._instance_dict.clear()
    atomic_write._clear_once.cache_clear()
    claims._held.clear()
    logging.root.handlers.clear()
    atexit._clear()
    multiprocessing.process._children.clear()
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # threads do not come along in a fork


@contextlib.contextmanager
def _status() -> Iterator[list[int]]:
    """Gives a list that holds the status with which the block ends, as the interpreter makes it of what is raised."""
    held = [0]
    try:
        yield held
    except SystemExit as stop:
        held[0] = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        held[0] = CRASHED


def _run(args: list[str]) -> None:
    """Does with the arguments what the interpreter does."""
    while args[0] == "-W":
        args = args[2:]
    if args[0] == "-m":
        sys.argv, sys.path[0:0] = args[1:], [os.getcwd()]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    elif args[0] == "-c":
        sys.argv, sys.path[0:0] = ["-c", *args[2:]], [""]
        exec(compile(args[1], "<string>", "exec"), dict(__name__="__main__"))
    else:
        sys.argv, sys.path[0:0] = args, [os.path.dirname(os.path.abspath(args[0]))]
        runpy.run_path(args[0], run_name="__main__")
