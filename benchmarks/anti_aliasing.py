"""Times anti-aliased strides: inference, and a training step, against the same network without, in turns.

Usage: python -m benchmarks.anti_aliasing [--networks hdr color ...] [--rounds 9] [--size 256] [--device cpu] [--small]

Of each network the median of the ratios of all rounds, with their quartiles: a frame of --size pixels, and forward and
backward pass of 4 crops of 64x64. `channels_last`, as tools use it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import mmtempreg  # noqa: F401, before MMagic is imported
from experiments.strided_networks import TASKS

if TYPE_CHECKING:
    import torch
    from torch import nn


NETWORKS: dict[str, dict[str, Any]] = dict(hdr=dict(type="HDRCNN"), color=dict(type="ColorizationCNN")) | {
    name: task.model["generator"] for name, task in TASKS.items()
}


def networks(config: dict[str, Any], device: str) -> tuple[nn.Module, nn.Module]:
    """The network as it is, and anti-aliased."""
    import torch
    from mmagic.registry import MODELS

    from mmtempreg.models.anti_aliasing import anti_alias

    plain, filtered = (MODELS.build(dict(config)).to(device, memory_format=torch.channels_last) for _ in range(2))
    anti_alias(filtered)
    return plain, filtered


def seconds(work: Callable[[], Any], device: str) -> float:
    """Measures the time of a call."""
    import torch

    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ratios(pair: tuple[nn.Module, nn.Module], x: torch.Tensor, train: bool, rounds: int, device: str) -> list[float]:
    """Times with anti-aliasing over those without, round by round."""
    import torch

    def work(network: nn.Module) -> Callable[[], Any]:
        network.train(train)
        return (lambda: network(x).square().mean().backward()) if train else (lambda: network(x))

    plain, filtered = map(work, pair)
    with torch.set_grad_enabled(train):
        for once in (plain, filtered):
            once()
        return [seconds(filtered, device) / seconds(plain, device) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--small", action="store_true", help="frames of 64 pixels and one round: a look whether it runs"
    )
    args = parser.parse_args()

    import torch
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    size, rounds = (64, 1) if args.small else (args.size, args.rounds)
    print("| | inference | training |\n|---|---|---|")
    for name in args.networks:
        pair = networks(NETWORKS[name], args.device)
        channels = 1 if name == "color" else 3
        cells = []
        for train, shape in ((False, (1, channels, size, size)), (True, (4, channels, 64, 64))):
            x = torch.rand(shape, device=args.device).to(memory_format=torch.channels_last)
            found = ratios(pair, x, train, rounds, args.device)
            low, middle, high = statistics.quantiles(found, n=4) if len(found) > 1 else found * 3
            cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
