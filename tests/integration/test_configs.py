import re
import textwrap
from pathlib import Path

import cv2
import mmagic
import pytest
import torch
import yaml
from mmagic.models.editors import InstColorization
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from skimage import data

from mmtempreg.models.hdr import num_variables
from mmtempreg.openmmlab.checkpoints import anti_aliasing_of
from testing.stock_models import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "tempreg").glob("*.py"))
REAL = sorted((ROOT / "configs" / "real_esrgan").glob("*.py"))
EXPANDNET = sorted((ROOT / "configs" / "expandnet").glob("*.py"))
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
    losses["steady"] = "TransformInvarianceLoss"
    for path in CONFIGS:
        if "_a0." not in path.stem:
            continue
        model = Config.fromfile(path).model
        assert model.type == "SiameseEditModel"
        assert f"a{model.alpha}" in path.stem
        (loss,) = (losses[part] for part in path.stem.split("_") if part in losses)
        assert model.regularization.type == loss
        if "local" in path.stem or "steady" in path.stem:
            assert model.transform.type == "Compose"
            continue
        kinds = dict(noise="RandomGaussianNoise", twice="GivenShift")
        (expected,) = {kind for part, kind in kinds.items() if part in path.stem} or {"RandomAffine"}
        assert model.transform.type == expected


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
    others = [*(ROOT / "configs" / "blind_consistency").glob("*.py"), *REAL, *EXPANDNET]
    assert listed == {path for path in [*CONFIGS, *STOCK, *others] if not path.stem.endswith("_evaluation")}


@pytest.mark.parametrize("path", STOCK, ids=lambda p: p.stem)
def test_stock_configs_are_short_and_start_from_released_weights(path):
    config = Config.fromfile(path)
    assert len(path.read_text().splitlines()) <= 14
    assert config.model.type == "SiameseEditModel"
    assert config.model.regularization.type == "TransformInvarianceLoss"
    assert config.default_hooks.checkpoint.type == "SafeCheckpointHook"
    assert [hook.type for hook in config.custom_hooks[-3:]] == ["StrictLoadHook", "ExactResumeHook", "FiniteLossHook"]
    metafiles = (Path(mmagic.__file__).parent / ".mim" / "configs").glob("*/metafile.yml")
    assert any(f"Weights: {config.load_from}\n" in metafile.read_text() for metafile in metafiles)
    if path.stem.endswith("_steady"):
        assert config.model.teacher == config.load_from
        assert (config.model.target, config.model.transform.type) == ("teacher", "GivenShift")
        assert config.train_dataloader.dataset.pipeline[0].scale == config.scale
        assert config.work_dir.endswith(path.stem)
    index = yaml.safe_load((ROOT / "configs" / "stock" / "metafile.yml").read_text())
    assert str(path.relative_to(ROOT)) in [model["Config"] for model in index["Models"]]


@pytest.mark.parametrize("page", ["README.md", "docs/use_your_own_config.md"])
def test_the_lines_in_the_docs_wrap_a_stock_config(page, tmp_path):
    block, *_ = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.S)
    path = tmp_path / "my_config.py"
    path.write_text(textwrap.dedent(block))
    config = Config.fromfile(path)
    assert len(block.splitlines()) <= 26
    assert (config.val_cfg, config.val_dataloader, config.val_evaluator) == (None, None, None)
    stock = Config.fromfile(path)._cfg_dict.model.model
    wrapped, plain = MODELS.build(config.model), MODELS.build(stock)
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    assert isinstance(wrapped, type(plain))


def test_the_lines_that_anti_alias_build_and_learn_from_the_network_as_it_came(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "anti_aliasing.md").read_text(), flags=re.S)
    base = "mmagic::nafnet/nafnet_c64eb2248mb12db2222_8xb8-lr1e-3-400k_sidd.py"
    (tmp_path / "mine.py").write_text(block.replace("my_config.py", base))
    config = Config.fromfile(tmp_path / "mine.py")
    config.model.model.model.generator.update(mid_channels=4, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    model = MODELS.build(config.model)
    assert anti_aliasing_of(model.state_dict()) == dict(taps=3)
    assert (model.teacher.checkpoint, model.teacher.shift) == ("my_checkpoint.pth", 8)


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.stem)
def test_published_networks_learn_from_themselves(path, tmp_path):
    config = Config.fromfile(path)
    assert config.load_from == config.model.teacher
    assert {hook.type for hook in config.custom_hooks} == {"StrictLoadHook", "ExactResumeHook", "FiniteLossHook"}
    stock = MODELS.build(config.model.model)
    weights = {"realesrgan_x4plus_anime_steady": 4_467_779, "realesrgan_x4plus_steady": 16_697_987}
    assert sum(p.numel() for p in stock.parameters()) == weights[path.stem]
    torch.save(dict(state_dict=stock.state_dict()), tmp_path / "teacher.pth")
    config.model.teacher = str(tmp_path / "teacher.pth")
    model = MODELS.build(config.model)
    assert model.teacher
    assert list(model.state_dict()) == list(stock.state_dict())


@pytest.mark.parametrize("path", EXPANDNET, ids=lambda p: p.stem)
def test_expandnet_sees_whole_pictures(path):
    config = Config.fromfile(path)
    assert config.work_dir.endswith(path.stem)
    assert [step.type for step in config.train_dataloader.dataset.pipeline] == ["Flip", "PackInputs"]
    wrapped = config.model.type == "SiameseEditModel"
    assert not wrapped or config.model.teacher == config.load_from
    stock = config.model.model if wrapped else config.model
    assert sum(p.numel() for p in MODELS.build(stock).parameters()) == 456_899


def small_published(name):
    """A config that learns from a folder of photographs alone, with a smaller network."""
    if name.startswith("realesrgan"):
        config = Config.fromfile(ROOT / "configs" / "real_esrgan" / f"{name}.py")
        config.model.model.generator.update(mid_channels=8, num_blocks=1, growth_channels=4)
        return config
    config = Config.fromfile(ROOT / "configs" / "stock" / f"{name}.py")
    (family,) = (family for family in FAMILIES if name == f"{family.name}_steady")
    config.merge_from_dict({f"model.model.{key}": value for key, value in family.small.items()})
    return config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["realesrgan_x4plus_anime_steady", "edsr_steady", "srcnn_steady"])
def test_a_folder_of_images_will_do(name, tmp_path):
    """The config as it is, with a smaller network: no ground truth, no pairs."""
    (tmp_path / "images").mkdir()
    for photo in ("astronaut", "coffee"):
        cv2.imwrite(str(tmp_path / "images" / f"{photo}.png"), getattr(data, photo)()[:160, :160])
    config = small_published(name)
    stock = MODELS.build(config.model.model)
    config.load_from = config.model.teacher = str(tmp_path / "stock.pth")
    torch.save(dict(state_dict=stock.state_dict()), config.load_from)
    config.merge_from_dict({
        "train_dataloader.dataset.data_root": str(tmp_path / "images"), "train_dataloader.batch_size": 2,
        "train_dataloader.num_workers": 0, "train_dataloader.persistent_workers": False, "train_cfg.max_iters": 2,
        "default_hooks.checkpoint.interval": 2, "default_hooks.checkpoint.out_dir": None,
        "work_dir": str(tmp_path / "run"), "log_level": "ERROR",
    })  # fmt: skip
    config.update({f"test_{part}": None for part in ("cfg", "dataloader", "evaluator")})  # a stock one's is of Set5
    config.custom_hooks = [hook for hook in config.custom_hooks if "Visualization" not in hook.type]
    config.visualizer = dict(type="Visualizer", vis_backends=[])
    Runner.from_cfg(config).train()
    weights = torch.load(tmp_path / "run" / "iter_2.pth", weights_only=True)["state_dict"]
    assert any(not torch.equal(weights[key], value) for key, value in stock.state_dict().items())
    stock.load_state_dict(weights, strict=True)


def test_a_folder_without_images_is_named(tmp_path):
    config = Config.fromfile(ROOT / "configs/real_esrgan/realesrgan_x4plus_anime_steady.py")
    config.train_dataloader.dataset.data_root = str(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path} holds no photograph"):
        DATASETS.build(config.train_dataloader.dataset)
