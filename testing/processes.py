"""Runs a function in several processes that form a gloo group."""

import os
import socket
import sys
import traceback

import torch
import torch.distributed as dist


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def in_processes(function, world_size, folder):
    """Runs `function(rank)` in several processes, and gives what they return. Forks: nothing is imported again."""
    port, children = free_port(), []
    for rank in range(world_size):
        child = os.fork()
        if child:
            children.append(child)
            continue
        code = 1
        try:
            sys.stdout = open(folder / f"out_{rank}.txt", "w")  # noqa: SIM115, the process ends with it
            os.environ.update(
                RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size), MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port),
            )  # fmt: skip
            torch.set_num_threads(1)
            dist.init_process_group("gloo")
            torch.save(function(rank), folder / f"result_{rank}.pt")
            dist.barrier()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * world_size, codes
    return [torch.load(folder / f"result_{rank}.pt") for rank in range(world_size)]
