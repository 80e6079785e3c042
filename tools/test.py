"""Tests a checkpoint: MMagic's own script and flags, after our repairs of its dependencies.

Usage: python tools/test.py CONFIG CHECKPOINT [--out FILE] [--overwrite] [--work-dir DIR]
       [--cfg-options ...] [--launcher {none,pytorch,slurm,mpi}]
"""

from mmtempreg.openmmlab.mmagic_tools import run_mmagic_tool

if __name__ == "__main__":
    run_mmagic_tool("test.py")
