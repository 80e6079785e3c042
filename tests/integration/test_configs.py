import re
import textwrap
from pathlib import Path

import mmagic
import pytest
import yaml
from mmagic.models.editors import InstColorization
from mmagic.registry import MODELS
from mmengine.config import Config

from mmtempreg.models.hdr import num_variables

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "tempreg").glob("*.py"))
STOCK = sorted((ROOT / "configs" / "stock").glob("*.py"))


NETWORKS = dict(hdr_full=(29_447_332, 5), hdr=(1_289_653, 50), color_vgg=(19_422_634, 15), color=(1_568_698, 10))
"""Variables and epochs of the configs whose name starts so; the first that fits counts."""


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_config_builds_the_network_of_its_family(path):
    config = Config.fromfile(path)
    model = MODELS.build(config.model)
    assert config.work_dir.endswith(path.stem)
    if path.stem.startswith("color_inst"):
        assert isinstance(model, InstColorization)
        return
    variables, epochs = next(values for prefix, values in NETWORKS.items() if path.stem.startswith(prefix))
    assert num_variables(model.generator) == variables
    assert config.train_cfg.max_epochs == epochs


def test_alpha_and_loss_are_what_the_name_says():
    losses = dict(stability="StabilityLoss", transinv="TransformInvarianceLoss", jacobian="SparseJacobianLoss")
    for path in CONFIGS:
        if "_a0." not in path.stem:
            continue
        model = Config.fromfile(path).model
        assert model.type == "SiameseEditModel"
        assert f"a{model.alpha}" in path.stem
        (loss,) = (losses[part] for part in path.stem.split("_") if part in losses)
        assert model.regularization.type == loss
        if "local" in path.stem:
            assert model.transform.type == "ComposeTransformPair"
            continue
        assert model.transform.type == ("NoiseTransformPair" if "noise" in path.stem else "AffineTransformPair")


def test_stills_and_clips_never_share_a_seed():
    for path in CONFIGS:
        config = Config.fromfile(path)
        if isinstance(config.test_dataloader, list):  # an evaluation, of validation clips too
            continue
        tests = [config.test_dataloader]
        seeds = [
            loader.dataset.seed
            for loader in (config.train_dataloader, config.val_dataloader)
            if "seed" in loader.dataset
        ]
        assert not {loader.dataset.seed for loader in tests if "seed" in loader.dataset} & set(seeds)


def test_settings_are_chosen_on_other_clips_than_they_are_judged_on():
    hdr, color = (Config.fromfile(ROOT / f"configs/tempreg/{task}_evaluation.py") for task in ("hdr", "color"))
    procedural, *pans = (loader.dataset for loader in hdr.test_dataloader)
    assert procedural.seed not in (hdr.train_dataloader.dataset.seed, hdr.val_dataloader.dataset.seed)
    places = [{name.split("_")[1].split(".")[0] for name in one.files} for one in pans]
    assert not {"sunrise"} & places[0]  # the same place as another's
    assert len(pans[0].files) + len(pans[1].files) == 17
    assert not set(pans[0].files) & set(pans[1].files)
    validation, test = (loader.dataset.list_file for loader in color.test_dataloader)
    assert (validation, test) == (color.val_dataloader.dataset.list_file, "data/youtube_faces/test.csv")
    for config in (hdr, color):
        prefixes = [{metric.prefix for metric in evaluator.metrics} for evaluator in config.test_evaluator]
        assert len(prefixes) == len(config.test_dataloader)
        assert all(len(names) == 1 for names in prefixes)


def test_photographs_and_clips_never_share_a_folder_or_list():
    for path in CONFIGS:
        if not path.stem.startswith("color") or path.stem.endswith("_evaluation"):
            continue
        config = Config.fromfile(path)
        loaders = (config.train_dataloader, config.val_dataloader, config.test_dataloader)
        assert len({(loader.dataset.data_root, loader.dataset.get("list_file")) for loader in loaders}) == 3


def test_metafiles_agree_with_the_configs():
    index = yaml.safe_load((ROOT / "model-index.yml").read_text())
    listed = set()
    for name in index["Import"]:
        meta = yaml.safe_load((ROOT / name).read_text())
        collections = {c["Name"] for c in meta["Collections"]}
        for model in meta["Models"]:
            assert model["In Collection"] in collections
            listed.add(ROOT / model["Config"])
    others = sorted((ROOT / "configs" / "blind_consistency").glob("*.py"))
    assert listed == {path for path in [*CONFIGS, *STOCK, *others] if not path.stem.endswith("_evaluation")}


@pytest.mark.parametrize("path", STOCK, ids=lambda p: p.stem)
def test_stock_configs_are_short_and_start_from_released_weights(path):
    config = Config.fromfile(path)
    assert len(path.read_text().splitlines()) <= 14
    assert config.model.type == "SiameseEditModel"
    assert config.model.regularization.type == "TransformInvarianceLoss"
    assert config.default_hooks.checkpoint.type == "SafeCheckpointHook"
    assert config.custom_hooks[-1].type == "ExactResumeHook"
    metafiles = (Path(mmagic.__file__).parent / ".mim" / "configs").glob("*/metafile.yml")
    assert any(f"Weights: {config.load_from}\n" in metafile.read_text() for metafile in metafiles)
    index = yaml.safe_load((ROOT / "configs" / "stock" / "metafile.yml").read_text())
    assert str(path.relative_to(ROOT)) in [model["Config"] for model in index["Models"]]


@pytest.mark.parametrize("page", ["README.md", "docs/use_your_own_config.md"])
def test_the_dozen_lines_in_the_docs_wrap_a_stock_config(page, tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.S)
    path = tmp_path / "my_config.py"
    path.write_text(textwrap.dedent(block))
    config = Config.fromfile(path)
    assert len(block.splitlines()) <= 14
    stock = Config.fromfile(path)._cfg_dict.model.model
    wrapped, plain = MODELS.build(config.model), MODELS.build(stock)
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    assert isinstance(wrapped, type(plain))
