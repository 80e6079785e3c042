"""Trains a model: MMagic's own script and flags, after our repairs of its dependencies.

Usage: python tools/train.py CONFIG [--work-dir DIR] [--resume] [--amp] [--auto-scale-lr] [--cfg-options ...]
       [--launcher {none,pytorch,slurm,mpi}]
"""

from mmtempreg.openmmlab.mmagic_tools import run_mmagic_tool

if __name__ == "__main__":
    run_mmagic_tool("train.py")
