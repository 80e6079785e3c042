"""Recipes side by side on one small network: what is done is not done again, and what is read is what was written."""

import argparse
import json
import sys

import cv2
import pytest
import torch
from mmengine.config import Config

from experiments import recipes
from experiments.table import recipes_table
from tests.apis.steady import test_make

photographs, folder = test_make.photographs, test_make.folder


def test_all_recipes_of_a_network(folder, monkeypatch, capsys):
    torch.save(dict(dirt=torch.tensor(0.001), gain=torch.ones(1)), folder / "before.pth")
    command = [f"{folder / 'network.py'}:Dirty", folder / "before.pth", folder / "images", "--test", folder / "images"]
    command += ["--iterations", 3, "--out", folder / "a.json", "--seeds", 0, "--strengths", 0.5, "--clips", 2]
    command += ["--work-dir", folder / "work", "--recipes", "plain", "table1", "steady"]
    monkeypatch.setattr(sys, "argv", ["recipes.py", *map(str, command)])
    recipes.main()
    found = json.loads((folder / "a.json").read_text())
    assert list(found) == ["as it came", "plain", "table1 0.8", "steady 0.8, 0.5 of the way", "steady 0.8"]
    assert recipes_table(found) in capsys.readouterr().out
    # half of the way there is half of what changed: the dirt is the only thing that flickers
    first, half, whole = (found[row]["0"]["distance"] for row in ("plain", "steady 0.8, 0.5 of the way", "steady 0.8"))
    assert half == pytest.approx(whole + 20 * torch.log10(torch.tensor(2.0)).item(), abs=0.1)
    assert first > 0
    # once more, with another strength and other losses: only these are trained
    more = ["steady=0.3", "shifted", "stablellve", "illumination"]
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-3], "plain", *more, "--picture", str(folder / "a.png")])
    trained = []
    train = recipes.trained
    monkeypatch.setattr(recipes, "trained", lambda *args: trained.append(args[1:3]) or train(*args))
    recipes.main()
    # StableLLVE: L_rec + 20 L_reg, which is 20/21 of their sum
    alphas = [
        ("steady", 0.3),
        ("shifted", 0.8),
        ("stablellve", 20 / 21),
        ("illumination", 0.8),
    ]
    assert [(name, recipe.alpha) for name, recipe in trained] == alphas
    assert json.loads((folder / "a.json").read_text()).keys() == {
        *found,
        "steady 0.3",
        "shifted 0.8",
        "stablellve",
        "illumination 0.8",
    }
    config = Config.fromfile(next((folder / "work" / "stablellve" / "0").glob("*.py")))
    assert config.model.model.pixel_loss.type == config.model.regularization.distance.type == "L1Loss"
    assert cv2.imread(str(folder / "a.png")).std() > 10


def test_names_of_recipes():
    assert recipes.named_recipe("table1=.5") == ("table1", 0.5)
    assert recipes.named_recipe("steady") == ("steady", None)
    for text in ("fast", "plain=0.5", "stablellve=0.5", "steady=2"):
        with pytest.raises(argparse.ArgumentTypeError):
            recipes.named_recipe(text)
