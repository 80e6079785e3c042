"""Runs MMagic's command-line tools."""

import argparse
import importlib.util
import json
import logging
import math
import os
import runpy
import sys
from pathlib import Path

import torch
import torch.distributed
from mmengine.config import DictAction

from ..utils.allocator import keep_freed_memory
from ..utils.atomic_write import replace_when_written
from ..utils.command_line import Parser, claim, claim_work_dir, is_first_process, one_line_for_mistakes
from .checkpoints import refuse_to_overwrite
from .configs import check_keys, read_config


def run_mmagic_tool(name: str) -> None:
    """Runs a script of MMagic's `tools/` as the main program, with `sys.argv` as it is.

    `mmtempreg` is imported by now, so that `mmtempreg.compat` has made MMagic importable. An error ends in one line;
    its traceback is in the log file of the run, and on the terminal with `--debug`, which MMagic's scripts do not have,
    nor `--overwrite`, which is for `--out`.
    """
    debug, overwrite = "--debug" in sys.argv, "--overwrite" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument not in ("--debug", "--overwrite")]
    keep_freed_memory()
    argparse.ArgumentParser.error = Parser.error  # type: ignore[method-assign, assignment]
    with one_line_for_mistakes(debug, _to_log_file, terminate=False):
        _check(name, overwrite)
        _run(name)


def _check(name: str, overwrite: bool) -> None:
    """Says what is wrong before MMagic is imported, which takes long, and holds what will be written."""
    parser = argparse.ArgumentParser(add_help=False)
    for argument in ("--work-dir", "--out", "--launcher"):
        parser.add_argument(argument)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    parser.add_argument("paths", nargs="*")
    args, _ = parser.parse_known_args()
    if not args.paths or {"-h", "--help"} & set(sys.argv):
        return
    config = read_config(args.paths[0], args.cfg_options)
    check_keys(config)
    if not is_first_process(args.launcher):
        return
    if name == "train.py":
        work_dir = args.work_dir or config.get("work_dir") or Path("work_dirs") / Path(args.paths[0]).stem
        if not (args.resume or config.get("resume")):
            refuse_to_overwrite(config.get("load_from"), work_dir)
        claim_work_dir(work_dir)
    else:
        claim(args.out, inputs=args.paths, overwrite=overwrite)


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
            runpy.run_path(str(tools / name), run_name="__main__")
            if "--out" in sys.argv[:-1] and Path(out := sys.argv[sys.argv.index("--out") + 1]).is_file():
                write_valid_json(Path(out))
            if joined:
                _leave_processes()
            return
    raise FileNotFoundError(f"{package} has no tools/{name}: reinstall it with `pip install mmagic==1.2.0`")


def write_valid_json(path: Path) -> None:
    """Rewrites a file of metrics, in which Python writes what JSON has no word for: what was not measured is null."""
    values = json.loads(path.read_text())
    if any(isinstance(value, float) and math.isnan(value) for value in values.values()):
        with replace_when_written(path) as partial:
            valid = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}
            partial.write_text(json.dumps(valid))


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
