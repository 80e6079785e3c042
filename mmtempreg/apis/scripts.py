"""Runs MMagic's command-line tools."""

import importlib.util
import os
import runpy
from pathlib import Path

import torch
import torch.distributed


def run_mmagic_tool(name: str) -> None:
    """Runs a script of MMagic's `tools/` as the main program, with `sys.argv` as it is.

    `mmtempreg` is imported by now, so that `mmtempreg.compat` has made MMagic importable.

    Raises:
        FileNotFoundError: If MMagic is not installed, or does not carry its tools.
    """
    spec = importlib.util.find_spec("mmagic")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MMagic is not installed: pip install mmagic==1.2.0")
    package = Path(spec.origin).parent
    for tools in (package / ".mim" / "tools", package.parent / "tools"):  # as a wheel has it, and a clone
        if (tools / name).is_file():
            _join_processes_without_gpu()
            runpy.run_path(str(tools / name), run_name="__main__")
            return
    raise FileNotFoundError(f"{package} has no tools/{name}: reinstall it with `pip install mmagic==1.2.0`")


def _join_processes_without_gpu() -> None:
    """Joins torchrun's processes on a machine without a GPU, where MMEngine would ask for one.

    MMEngine takes a process group that is there already.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and not torch.cuda.is_available():
        torch.distributed.init_process_group("gloo")
