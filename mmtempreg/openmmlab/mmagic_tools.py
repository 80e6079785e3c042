"""Runs MMagic's command-line tools."""

import argparse
import ast
import importlib.util
import json
import logging
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from ..utils.allocator import keep_freed_memory
from ..utils.atomic_write import write_json
from ..utils.command_line import Assignments, Parser, one_line_for_mistakes


def run_mmagic_tool(name: str) -> None:
    """Runs a script of MMagic's `tools/` as the main program, with `sys.argv` as it is.

    `mmtempreg` is imported by now, so that `compat` makes MMagic importable. An error ends in one line; its traceback
    is in the log file of the run, and on the terminal with `--debug`, which MMagic's scripts do not have, nor
    `--overwrite`, which is for `--out`.
    """
    debug, overwrite = "--debug" in sys.argv, "--overwrite" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument not in ("--debug", "--overwrite")]
    argparse.ArgumentParser.error = Parser.error  # type: ignore[method-assign, assignment]
    with one_line_for_mistakes(debug, _to_log_file, terminate=False):
        script = _find(name)
        _parse(script)
        keep_freed_memory()
        import cv2

        from .run_checks import check_run

        cv2.setLogLevel(2)  # errors: of a damaged image our own word is the last, whatever its threads go on to say
        check_run(name, sys.argv[1:], overwrite)
        try:
            _run(script)
        except KeyboardInterrupt:
            if name == "train.py":
                raise KeyboardInterrupt("stopped; --resume goes on from the last checkpoint") from None
            raise


def _to_log_file(text: str) -> None:
    """Writes into the log files of the run, and not on the terminal."""
    from mmengine.logging import MMLogger

    for handler in MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(
                logging.makeLogRecord(dict(levelno=logging.ERROR, levelname="ERROR", name="mmengine", msg=text))
            )


def _find(name: str) -> Path:
    spec = importlib.util.find_spec("mmagic")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MMagic is not installed: pip install mmagic==1.2.0")
    package = Path(spec.origin).parent
    for tools in (package / ".mim" / "tools", package.parent / "tools"):  # as a wheel has it, and a clone
        if (tools / name).is_file():
            return tools / name
    raise FileNotFoundError(f"{package} has no tools/{name}: reinstall it with `pip install mmagic==1.2.0`")


def _parse(script: Path) -> None:
    """Has a script parse its options, and does nothing else of it: help and mistakes do not wait for its imports."""
    functions = [part for part in ast.parse(script.read_text()).body if getattr(part, "name", "") == "parse_args"]
    names: dict[str, Any] = dict(argparse=argparse, os=os, DictAction=Assignments)
    exec(compile(ast.Module(functions, []), script, "exec"), names)
    names["parse_args"]()


def _run(script: Path) -> None:
    joined = _join_processes_without_gpu()
    # not as __main__: that is what a data loader's worker imports where it is spawned, and it has to be ours,
    # which repairs MMagic's dependencies first
    runpy.run_path(str(script), run_name="mmagic_tool")["main"]()
    out = Path(sys.argv[sys.argv.index("--out") + 1]) if "--out" in sys.argv[:-1] else None
    if out is not None and out.suffix == ".json" and out.is_file():
        write_json(out, json.loads(out.read_text()), indent=None)  # what was not measured is null
    if joined:
        _leave_processes()


def _join_processes_without_gpu() -> bool:
    """Joins torchrun's processes on a machine without a GPU, where MMEngine would ask for one; says whether it did.

    MMEngine takes a process group that is there already.
    """
    import torch.distributed

    if "TORCHELASTIC_RUN_ID" not in os.environ or torch.cuda.is_available():
        return False
    torch.distributed.init_process_group("gloo")
    return True


def _leave_processes() -> None:
    """Ends a process that has done its work, at once.

    Left to the end of the interpreter, native threads abort one of several processes now and then ("terminate called
    without an active exception"), and torchrun takes the whole run for failed.
    """
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
