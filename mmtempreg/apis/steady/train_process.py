"""One of several processes that train together: started by torchrun, with the arguments of tools/train.py."""

if __name__ == "__main__":
    from ...openmmlab.mmagic_tools import run_mmagic_tool

    run_mmagic_tool("train.py")
