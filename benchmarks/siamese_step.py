"""Time of a siamese training step against a plain one, side by side in one run.

Usage: python benchmarks/siamese_step.py [--size 64] [--batch 8] [--rounds 15] [--device cpu]

Plain and siamese steps take turns; prints the median ratio over the rounds, and its quartiles. Twice the plain step
is the limit, since the network runs twice.
"""

import argparse
import copy
import statistics
import time

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

import mmtempreg  # noqa: F401, before MMagic is imported

MODEL = dict(type="HDRReconstructionModel", generator=dict(type="HDRCNN"))
LOSSES = ("StabilityLoss", "TransformInvarianceLoss", "SparseJacobianLoss", "AugmentationLoss")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    from mmagic.registry import MODELS
    from mmagic.structures import DataSample

    init_default_scope("mmagic")
    shape = (3, args.size, args.size)
    batch = dict(
        inputs=[torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(args.batch)],
        data_samples=[DataSample(gt_img=3 * torch.rand(shape)) for _ in range(args.batch)],
    )
    models = {"plain": MODELS.build(copy.deepcopy(MODEL))}
    for loss in LOSSES:
        config = dict(
            model=copy.deepcopy(MODEL), transform=dict(type="AffineTransformPair"), regularization=dict(type=loss)
        )
        models[loss] = MODELS.build(dict(type="SiameseEditModel", alpha=0.5, **config))
    steps = {}
    for name, model in models.items():
        model.to(args.device).train()
        steps[name] = (model, OptimWrapper(torch.optim.Adam(model.parameters())))

    def seconds(name: str) -> float:
        model, optimiser = steps[name]
        data = copy.deepcopy(batch)
        if args.device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        model.train_step(data, optimiser)
        if args.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for name in steps:
        seconds(name)  # warm-up
    ratios: dict = {loss: [] for loss in LOSSES}
    for _ in range(args.rounds):
        for loss in LOSSES:
            before, siamese, after = seconds("plain"), seconds(loss), seconds("plain")
            ratios[loss].append(2 * siamese / (before + after))
    print(f"{args.batch} images of {args.size}x{args.size} on {args.device}, {torch.get_num_threads()} threads")
    print("| | siamese / plain step, median | quartiles |\n|---|---|---|")
    for loss, values in ratios.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"| {loss} | {middle:.3f} | {low:.3f} - {high:.3f} |")


if __name__ == "__main__":
    main()
