"""The table of stock families: trains each, and checks that it is stock where it must be.

Usage: python -m benchmarks.stock_families [--families srcnn edsr ...] [--steps 24] [--small]

For each family, from its config in configs/stock with its stock networks, on real photographs: trains, and looks at the
losses; loads the checkpoint into the stock model and compares predictions to the bit; trains 20 steps with alpha=0 and
20 steps of the stock model, and compares all weights to the bit. (`benchmarks.siamese_step` measures time and memory.)
The networks start untrained, so that they are trained with ten times the config's learning rate, which is for
fine-tuning. Losses are shown as the mean over the first and over the last third of the steps (two rounds of the eight
photographs each); of GANs, whose total need not fall, L_rec is the pixel loss. L_reg of a network that predicts hardly
anything yet is near 0, and may rise while it learns to: what must fall is L = (1 - alpha) L_rec + alpha L_reg.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmtempreg  # noqa: F401, before MMagic is imported
from testing.stock_models import (
    FAMILIES,
    IDENTITY_STEPS,
    family_config,
    predicts_the_same,
    real_images,
    same_as_stock,
    train,
)

if TYPE_CHECKING:
    import torch


def ends(losses: torch.Tensor) -> tuple[float, float]:
    """Mean over the first and over the last third."""
    third = math.ceil(len(losses) / 3)
    return float(losses[:third].mean()), float(losses[-third:].mean())


def _optimisers(wrapper: Any) -> list[Any]:
    """The optimisers in a config's `optim_wrapper`, which may be one of several."""
    if "optimizer" in wrapper:
        return [wrapper.optimizer]
    return [optimiser for part in wrapper.values() if hasattr(part, "get") for optimiser in _optimisers(part)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [family.name for family in FAMILIES]
    parser.add_argument("--families", nargs="+", default=names, choices=names)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--small", action="store_true", help="the networks of the tests")
    args = parser.parse_args()

    import torch
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    stock = f"alpha=0 is stock ({IDENTITY_STEPS} steps)"
    print(f"| config | weights | steps | finite | falling | L | L_rec | L_reg | round trip | {stock} |")
    print("|---" * 10 + "|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        real_images(root / "images")
        for family in FAMILIES:
            if family.name not in args.families:
                continue
            config = family_config(family, root / "images", root / family.name, args.steps, args.small)
            for optimiser in _optimisers(config.optim_wrapper):
                optimiser.lr *= 10
            model, losses = train(config)
            finite = all(bool(torch.isfinite(values).all()) for values in losses.values())
            weights = sum(p.numel() for p in getattr(model, family.trained).parameters()) / 1e6
            trip = predicts_the_same(family, config, model, args.small)
            if family.name == "inst_colorization":
                identity = "MMagic cannot train it"
            else:
                identity = "yes" if same_as_stock(family, root / "images", root, args.small) else "NO"
            rec, reg = losses.get("loss_pix", losses["loss_rec"]), losses["loss_reg"]
            total = (1 - config.model.alpha) * rec + config.model.alpha * reg
            falls = ends(total)[1] < ends(total)[0]
            cells = [family.config.stem, f"{weights:.2f} M", str(args.steps)]
            cells += ["yes" if ok else "NO" for ok in (finite, falls)]
            cells += ["{:.3g} to {:.3g}".format(*ends(part)) for part in (total, rec, reg)]
            cells += ["yes" if trip else "NO", identity]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
