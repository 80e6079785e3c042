"""Runs MMagic's command-line tools."""

import argparse
import importlib.util
import json
import logging
import os
import runpy
import sys
from pathlib import Path

import cv2
import torch
import torch.distributed

from ..utils.allocator import keep_freed_memory
from ..utils.atomic_write import write_json
from ..utils.command_line import Parser, one_line_for_mistakes
from .run_checks import check_run


def run_mmagic_tool(name: str) -> None:
    """Runs a script of MMagic's `tools/` as the main program, with `sys.argv` as it is.

    `mmtempreg` is imported by now, so that `mmtempreg.compat` has made MMagic importable. An error ends in one line;
    its traceback is in the log file of the run, and on the terminal with `--debug`, which MMagic's scripts do not have,
    nor `--overwrite`, which is for `--out`.
    """
    debug, overwrite = "--debug" in sys.argv, "--overwrite" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument not in ("--debug", "--overwrite")]
    keep_freed_memory()
    cv2.setLogLevel(2)  # errors: of a damaged image our own word is the last, whatever its threads go on to say
    argparse.ArgumentParser.error = Parser.error  # type: ignore[method-assign, assignment]
    with one_line_for_mistakes(debug, _to_log_file, terminate=False):
        check_run(name, sys.argv[1:], overwrite)
        _run(name)


def _to_log_file(text: str) -> None:
    """Writes into the log files of the run, and not on the terminal."""
    from mmengine.logging import MMLogger

    for handler in MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(
                logging.makeLogRecord(dict(levelno=logging.ERROR, levelname="ERROR", name="mmengine", msg=text))
            )


def _run(name: str) -> None:
    spec = importlib.util.find_spec("mmagic")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MMagic is not installed: pip install mmagic==1.2.0")
    package = Path(spec.origin).parent
    for tools in (package / ".mim" / "tools", package.parent / "tools"):  # as a wheel has it, and a clone
        if (tools / name).is_file():
            joined = _join_processes_without_gpu()
            # not as __main__: that is what a data loader's worker imports where it is spawned, and it has to be ours,
            # which repairs MMagic's dependencies first
            runpy.run_path(str(tools / name), run_name="mmagic_tool")["main"]()
            out = Path(sys.argv[sys.argv.index("--out") + 1]) if "--out" in sys.argv[:-1] else None
            if out is not None and out.suffix == ".json" and out.is_file():
                write_json(out, json.loads(out.read_text()), indent=None)  # what was not measured is null
            if joined:
                _leave_processes()
            return
    raise FileNotFoundError(f"{package} has no tools/{name}: reinstall it with `pip install mmagic==1.2.0`")


def _join_processes_without_gpu() -> bool:
    """Joins torchrun's processes on a machine without a GPU, where MMEngine would ask for one; says whether it did.

    MMEngine takes a process group that is there already.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or torch.cuda.is_available():
        return False
    torch.distributed.init_process_group("gloo")
    return True


def _leave_processes() -> None:
    """Ends a process that has done its work, at once.

    Left to the end of the interpreter, native threads abort one of several processes now and then ("terminate called
    without an active exception"), and torchrun takes the whole run for failed.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
