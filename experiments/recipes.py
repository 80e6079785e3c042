"""Compares recipes that make a network steady: all trained alike, measured on other photographs.

Usage: python -m experiments.recipes NETWORK CHECKPOINT IMAGES --test FOLDER --iterations N --out FILE.json
       [--recipes NAME[=ALPHA] ...] [--seeds S ...] [--strengths S ...] [--degrade STEP ...] [--clips 12]
       [--network-options KEY=VALUE ...] [--train-options KEY=VALUE ...] [--work-dir DIR] [--picture FILE.png]

`plain` fine-tunes to the photographs, `table1` does so with the transform invariance of the paper (its Table 1's
transformations), `stablellve` with StableLLVE's loss (a smooth flow as T), `steady` is the recipe of tools/steady.py.
`shifted` and `illumination` are that, but for the second frame: the input moved by whole pixels of it, with noise, and
not the scene photographed anew; and for the comparison: hdrcnn's, of illumination and reflectance. Length, rate, crops
and photographs are the same. NETWORK, CHECKPOINT and --degrade are as there; the photographs are what is to be
predicted. Networks between the one as it came and `steady` are measured too, at --strengths. What is done already is
not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mmtempreg.utils.atomic_write import replace_when_written, write_json
from mmtempreg.utils.command_line import COUNT, WHOLE, Assignments, Parser, claim, claim_work_dir, run, within
from mmtempreg.utils.degradations import degradation

from .table import recipes_table

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

    from mmtempreg.apis.steady.network import Network
    from mmtempreg.apis.steady.recipe import Recipe


Weights: TypeAlias = "dict[str, torch.Tensor]"


def _plain(network: Network, recipe: Recipe, config: Config) -> None:
    """To the truth, without any regularisation."""
    config.model = dict(type="SiameseEditModel", model=network.model, seed=recipe.seed, alpha=0.0)
    config.model |= dict(transform=dict(type="RandomAffine"), regularization=dict(type="TransformInvarianceLoss"))
    config.train_dataloader.dataset.pipeline[-1] = dict(type="PackInputs")


def _table1(network: Network, recipe: Recipe, config: Config) -> None:
    """To the truth, with T of Table 1, compared by the network's own loss."""
    from mmtempreg.openmmlab.configs import loss_distance

    _plain(network, recipe, config)
    distance = loss_distance(network.model)
    config.model.update(alpha=recipe.alpha, regularization=dict(type="TransformInvarianceLoss", distance=distance))


def _steady(network: Network, recipe: Recipe, config: Config) -> None:
    """As it stands."""


def _shifted(network: Network, recipe: Recipe, config: Config) -> None:
    """The second frame is the first one's input, moved by whole pixels of it, with noise of its own."""
    steps = [dict(type="RandomShift", max_shift=8), dict(type="RandomGaussianNoise", sigma=(0, 0.02))]
    config.model.transform = dict(type="Compose", transforms=steps)
    config.train_dataloader.dataset.pipeline[-1] = dict(type="PackInputs")


def _stablellve(network: Network, recipe: Recipe, config: Config) -> None:
    """To the truth; T is a smooth flow of up to 15 pixels, drawn here where Zhang et al. 2021 guess it from objects."""
    _plain(network, recipe, config)
    distance = dict(type="L1Loss")
    config.model.model.pixel_loss = distance
    config.model.update(alpha=recipe.alpha, transform=dict(type="RandomElastic", displacement=15.0, control_points=3))
    config.model.regularization = dict(type="TransformInvarianceLoss", distance=distance, valid_only=False)


def _illumination(network: Network, recipe: Recipe, config: Config) -> None:
    """As it stands, but illumination and reflectance are compared apart (Eilertsen et al. 2017), of display values."""
    distance = dict(type="IlluminationReflectanceLoss")
    config.model.model.pixel_loss = config.model.regularization.distance = distance


RECIPES: dict[str, Callable[[Network, Recipe, Config], None]] = dict(
    plain=_plain,
    table1=_table1,
    stablellve=_stablellve,
    steady=_steady,
    shifted=_shifted,
    illumination=_illumination,
)
"""Name -> what it makes of the config of tools/steady.py."""

FIXED = dict(plain=0.0, stablellve=20 / 21)
"""Recipe -> its strength, where that is a part of it (StableLLVE: L_rec + 20 L_reg)."""


def named_recipe(text: str) -> tuple[str, float | None]:
    """The `type` of --recipes: NAME or NAME=ALPHA."""
    name, _, alpha = text.partition("=")
    if name not in RECIPES:
        raise argparse.ArgumentTypeError(f"there is no recipe {name!r}: choose from {', '.join(RECIPES)}")
    if name in FIXED:
        if alpha:
            raise argparse.ArgumentTypeError(f"{name} has no strength to choose")
        return name, FIXED[name]
    return name, within("[0, 1]")(alpha) if alpha else None


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path)
    parser.add_argument("images", metavar="IMAGES", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="folder of other photographs")
    parser.add_argument("--iterations", type=WHOLE, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where results are added")
    recipes = [named_recipe(name) for name in ("plain", "table1", "steady")]
    parser.add_argument("--recipes", type=named_recipe, nargs="+", default=recipes, metavar="NAME[=ALPHA]")
    parser.add_argument("--seeds", type=COUNT, nargs="+", default=[0, 1])
    parser.add_argument(
        "--strengths", type=within("(0, 1)"), nargs="*", default=[0.25, 0.5, 0.75], help="of blends with steady"
    )
    parser.add_argument("--degrade", nargs="+", type=degradation, metavar="STEP", help="what makes its input")
    parser.add_argument("--clips", type=WHOLE, default=12, help="photographs of --test, from the first")
    parser.add_argument(
        "--network-options", nargs="+", action=Assignments, default=(), help="arguments of file.py:Name"
    )
    parser.add_argument("--train-options", nargs="+", action=Assignments, default=(), help="what differs in training")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/recipes"))
    parser.add_argument("--picture", type=Path, help="draw what each keeps against what flickers")
    run(parser, compare)


def compare(args: argparse.Namespace) -> None:
    """Trains what is not there yet, and measures it."""
    from mmtempreg.apis import FrameModel
    from mmtempreg.apis.blend import blend_weights
    from mmtempreg.apis.equivariance import find_images
    from mmtempreg.apis.steady.network import read_network, smallest_edge
    from mmtempreg.apis.steady.pictures import camera_of, moving_pictures, stills
    from mmtempreg.apis.steady.quality import QualityMeter, amplified_noise
    from mmtempreg.apis.steady.recipe import SENSOR_NOISE, recipe_for
    from mmtempreg.apis.steady.training import write_start
    from mmtempreg.openmmlab.configs import read_options

    claim(args.picture, inputs=[args.checkpoint, args.images, args.test], overwrite=True)
    claim_work_dir(args.work_dir)
    degrade = args.degrade or [SENSOR_NOISE]
    tests = find_images(args.test)[: args.clips]
    network = read_network(
        args.network,
        args.checkpoint,
        partial(stills, tests[:4], camera_of(degrade, 1)),
        options=read_options(args.network_options),
        restores=True,
    )
    model = network.build()
    camera = camera_of(degrade, network.scale)
    pictures = list(moving_pictures(tests, camera))
    judge = QualityMeter(pictures, network.domain, True)
    before = judge.measure(FrameModel.of_model(model, network.order))
    results: dict[str, Any] = json.loads(args.out.read_text()) if args.out.exists() else {}
    results = {"as it came": {"0": asdict(before)}} | results
    photographs = (args.images, find_images(args.images))
    started = write_start(network, photographs, args.work_dir / "start")
    noise = amplified_noise(FrameModel.of_model(model, network.order), tests, camera, network.domain)
    recipe = recipe_for(network, before.invents(noise), smallest_edge(model, network.scale), steps=degrade)
    for seed in args.seeds:
        for name, given in args.recipes:
            alpha = recipe.alpha if given is None else given
            key = name if name in FIXED else f"{name} {alpha:g}"
            if str(seed) in results.get(key, {}):
                continue
            one = replace(recipe, alpha=alpha, seed=seed)
            weights = trained(network, name, one, args, started, args.work_dir / key.replace(" ", "_") / str(seed))
            strengths = [*(args.strengths if name == "steady" and alpha == recipe.alpha else []), 1.0]
            for strength in strengths:
                network.load(model, blend_weights(network.form.weights(), weights, strength))
                row = key if strength == 1 else f"{key}, {strength:g} of the way"
                quality = judge.measure(FrameModel.of_model(model, network.order))
                results.setdefault(row, {})[str(seed)] = asdict(quality)
            write_json(args.out, results)
    print(recipes_table(results))
    if args.picture:
        draw(results, args.picture)


def trained(
    network: Network, name: str, recipe: Recipe, args: argparse.Namespace, started: tuple[Path, Path], folder: Path
) -> Weights:
    """The network's weights after a recipe; what was begun in the folder goes on."""
    from mmtempreg.apis.steady.recipe import training_config
    from mmtempreg.apis.steady.training import Progress
    from mmtempreg.openmmlab.configs import read_options
    from mmtempreg.openmmlab.runners import quiet_runner

    teacher, listed = (path.resolve() for path in started)
    images = args.images.resolve()
    config = training_config(network, recipe, images, listed=listed, teacher=teacher, iterations=args.iterations)
    RECIPES[name](network, recipe, config)
    config.merge_from_dict(read_options(args.train_options))
    runner = quiet_runner(config, folder, resume=True)
    runner.register_hook(Progress(f"{name} {recipe.alpha:g}, seed {recipe.seed}"))
    runner.train()
    return network.weights(runner.model)


def draw(results: Mapping[str, Mapping[str, Mapping[str, Any]]], path: Path) -> None:
    """Draws the detail that each network keeps, and its PSNR, against F: trainings at several strengths, and blends."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def mean(row: str, key: str) -> float:
        return statistics.fmean(values[key] for values in results[row].values())

    def series(rows: list[str], key: str) -> tuple[list[float], list[float]]:
        rows = sorted(rows, key=lambda row: mean(row, "flicker"))
        return [mean(row, "flicker") for row in rows], [mean(row, key) for row in rows]

    names = [row for row in results if "of the way" not in row]
    between = [row for row in results if "of the way" in row]
    steady, table1 = ([row for row in names if row.startswith(name)] for name in ("steady", "table1"))
    lines = [
        ("recipe of steady.py, trained at several alpha", "o-", "tab:blue", ["as it came", *steady]),
        ("networks between the one as it came and one of these", "o--", "tab:orange", between),
        ("the paper's T, to the truth", "s-", "tab:red", table1),
        ("plain fine-tuning", "D", "tab:grey", ["plain"] if "plain" in names else []),
        ("as it came", "*", "black", ["as it came"]),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for axis, (key, title) in zip(axes, (("kept", "detail that is kept (K)"), ("psnr", "PSNR [dB]"))):
        for label, marker, colour, rows in lines:
            if rows:
                axis.plot(*series(rows, key), marker, color=colour, ms=9 if marker == "*" else 5, label=label)
        for row in (*steady, *table1):
            place = (6, -4) if row in steady else (6, 4)
            text = row.partition(" ")[2]
            axis.annotate(text, (mean(row, "flicker"), mean(row, key)), xytext=place, textcoords="offset points")
        axis.set_xlabel("flicker along the motion (F; 1: as the scene)")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    with replace_when_written(path) as partly:
        figure.savefig(partly, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
