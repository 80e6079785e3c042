"""Freed memory is used again in our tools, and in nobody else's program."""

import argparse
import os
import subprocess
import sys

import pytest

from mmtempreg.openmmlab import mmagic_tools, run_checks
from mmtempreg.utils import allocator, command_line

# 80 MB, ten times: pages that the system had to give, in thousands
PROGRAM = """
import resource, numpy
from mmtempreg.utils.allocator import keep_freed_memory
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
kept = {keep}
numpy.ones(10**7)
before = faults()
for _ in range(10): numpy.ones(10**7)
print(int(kept), faults() - before)
"""


def outcome(keep, **environment):
    """Whether memory was kept, and how many pages were missing."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | environment
    command = [sys.executable, "-c", PROGRAM.format(keep=keep)]
    kept, faults = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.split()
    return bool(int(kept)), int(faults)


def test_freed_memory_is_used_again():
    _, before = outcome("False")
    kept, after = outcome("keep_freed_memory()")
    assert not kept or after < before / 10
    assert kept or not sys.platform.startswith("linux") or not hasattr(allocator.ctypes.CDLL(None), "mallopt")


def test_what_the_environment_says_stands():
    assert outcome("keep_freed_memory()", MALLOC_ARENA_MAX="2")[0] is False


@pytest.mark.parametrize("tool", ["ours", "mmagic's"])
def test_tools_keep_it(tool, monkeypatch):
    order = []
    for module in (command_line, mmagic_tools):
        monkeypatch.setattr(module, "keep_freed_memory", lambda: order.append("kept"))
    monkeypatch.setattr(sys, "argv", ["tool.py"])
    monkeypatch.setattr(argparse.ArgumentParser, "error", argparse.ArgumentParser.error)  # which one replaces
    if tool == "ours":
        command_line.run(command_line.Parser("about"), lambda args: order.append("work"))
    else:
        sys.argv.append("config.py")
        monkeypatch.setattr(run_checks, "check_run", lambda *arguments: order.append("check"))
        monkeypatch.setattr(mmagic_tools, "_run", lambda script: order.append("work"))
        mmagic_tools.run_mmagic_tool("train.py")
    assert order == ["kept", *(["check"] if tool != "ours" else []), "work"]
