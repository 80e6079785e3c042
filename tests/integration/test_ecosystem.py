"""Our configs and checkpoints in the hands of MMagic's own tools, and configs of the new style in ours."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from mmagic.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmtempreg.apis import FrameModel
from mmtempreg.openmmlab.configs import config_hash, plain, stock_model_config, type_name
from mmtempreg.tuning.tuner import _wrapping
from testing import forked
from testing.stock_models import real_images

ROOT = Path(__file__).resolve().parents[2]

STOCK = """
from mmagic.datasets import BasicImageDataset
from mmagic.datasets.transforms import LoadImageFromFile, PackInputs, PairedRandomCrop, SetValues
from mmagic.models import BaseEditModel, DataPreprocessor
from mmagic.models.editors import MSRResNet
from mmagic.models.losses import L1Loss
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from mmengine.visualization import Visualizer
from torch.optim import SGD

default_scope = 'mmagic'
model = dict(
    type=BaseEditModel,
    generator=dict(type=MSRResNet, in_channels=3, out_channels=3, mid_channels=4, num_blocks=1, upscale_factor=4),
    pixel_loss=dict(type=L1Loss),
    data_preprocessor=dict(type=DataPreprocessor, mean=[0.0] * 3, std=[255.0] * 3))
train_pipeline = [
    dict(type=LoadImageFromFile, key='img', channel_order='rgb'),
    dict(type=LoadImageFromFile, key='gt', channel_order='rgb'),
    dict(type=SetValues, dictionary=dict(scale=4)),
    dict(type=PairedRandomCrop, gt_patch_size=32),
    dict(type=PackInputs)]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(type=BasicImageDataset, data_root='IMAGES', data_prefix=dict(img='input_x4', gt='gt'),
                 pipeline=train_pipeline))
train_cfg = dict(type=IterBasedTrainLoop, max_iters=3)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=1e-3))
default_hooks = dict(
    logger=dict(type=LoggerHook, interval=1), checkpoint=dict(type=CheckpointHook, interval=1, by_epoch=False))
visualizer = dict(type=Visualizer, vis_backends=[])
"""


def old_style(text):
    """The same config with names instead of classes."""
    lines = [line for line in text.splitlines() if not line.startswith(("from ", "with ", "    from "))]
    names = {word for line in text.splitlines() if " import " in line for word in line.split(" import ")[1].split(", ")}
    joined = "\n".join(lines)
    for name in names - {"read_base", "*"}:
        joined = joined.replace(f"type={name},", f"type='{name}',").replace(f"type={name})", f"type='{name}')")
    return joined


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """A folder with stock and wrapped configs in both styles, and a checkpoint of them."""
    folder = tmp_path_factory.mktemp("styles")
    real_images(folder / "images")
    page = (ROOT / "docs" / "use_your_own_config.md").read_text().split("## Configs of the new style")[1]
    wrapped = page.split("```python\n")[1].split("```")[0]
    wrapped = wrapped.replace("my_checkpoint.pth", str(folder / "model.pth")).replace("my_stock_config", "new_stock")
    stock = STOCK.replace("IMAGES", str(folder / "images"))
    (folder / "new_stock.py").write_text(stock)
    (folder / "new_mine.py").write_text(wrapped)
    (folder / "old_stock.py").write_text(old_style(stock))
    (folder / "old_mine.py").write_text(f"_base_ = './old_stock.py'\n{_wrapped_old(folder)}")
    torch.manual_seed(1)
    init_default_scope("mmagic")
    model = MODELS.build(Config.fromfile(folder / "old_stock.py").model)
    torch.save(dict(state_dict=model.state_dict()), folder / "model.pth")
    return folder


def _wrapped_old(folder):
    return f"""
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
load_from = '{folder}/model.pth'
model = dict(
    _delete_=True, type='SiameseEditModel', model={{{{_base_.model}}}}, transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')), alpha=0.8)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook'))
custom_hooks = [dict(type=f'{{name}}Hook') for name in ('StrictLoad', 'ExactResume', 'FiniteLoss')]
"""


def tool(*command):
    done = forked.run([sys.executable, "-W", "ignore", *map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_both_styles_train_and_resume_to_the_same_weights(configs, tmp_path):
    states = {}
    for style in ("old", "new"):
        options = ("--cfg-options", "randomness.seed=0", "train_cfg.max_iters=2")
        tool("tools/train.py", configs / f"{style}_mine.py", "--work-dir", tmp_path / style, *options)
        options = (*options[:-1], "train_cfg.max_iters=4")
        log = tool("tools/train.py", configs / f"{style}_mine.py", "--work-dir", tmp_path / style, "--resume", *options)
        assert "loss_reg" in log
        states[style] = torch.load(tmp_path / style / "iter_4.pth")["state_dict"]
    assert all(torch.equal(value, states["new"][name]) for name, value in states["old"].items())
    # what was dumped into the work directory is as good
    dumped = Config.fromfile(tmp_path / "new" / "new_mine.py")
    assert FrameModel(dumped, str(tmp_path / "new" / "iter_4.pth"))._order == "RGB"


def test_our_config_of_the_new_style_is_the_old_one(tmp_path, monkeypatch):
    folder, weights = ROOT / "configs" / "tempreg", []
    monkeypatch.chdir(tmp_path)
    few = {"train_dataloader.dataset.num_images": 4, "train_dataloader.dataset.size": 64}
    few |= {"train_dataloader.batch_size": 2, "train_dataloader.num_workers": 0, "train_cfg.max_epochs": 1}
    few |= {"train_dataloader.persistent_workers": False, "train_cfg.val_interval": 2}
    few |= {f"{part}_{what}": None for part in ("val", "test") for what in ("dataloader", "cfg", "evaluator")}
    for name in ("hdr_transinv_a0.8", "hdr_transinv_new_style"):
        config = Config.fromfile(folder / f"{name}.py")
        config.train_dataloader.dataset.pipeline[0].crop_size = (32, 32)
        config.merge_from_dict({**few, "work_dir": str(tmp_path / name)})
        Runner.from_cfg(config).train()
        weights.append(torch.load(tmp_path / name / "epoch_1.pth")["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
def test_both_styles_are_tested_alike(tmp_path):
    few = [f"test_dataloader.dataset.{option}" for option in ("num_clips=1", "num_frames=3", "size=64")]
    few += ["test_dataloader.num_workers=0", f"test_dataloader.dataset.data_root={tmp_path}"]
    found = []
    for name in ("hdr_transinv_a0.8", "hdr_transinv_new_style"):
        tool("tools/test.py", f"configs/tempreg/{name}.py", "checkpoints/hdr_baseline.pth", "--out",
             tmp_path / f"{name}.json", "--work-dir", tmp_path / name, "--cfg-options", *few)  # fmt: skip
        found.append(json.loads((tmp_path / f"{name}.json").read_text()))
    assert found[0] == found[1]
    assert found[0]["SaturatedPSNR"] > 10


def test_both_styles_see_the_same_channels(configs):
    frames = torch.rand(2, 3, 16, 20)
    outs = [
        FrameModel(Config.fromfile(configs / f"{style}_{kind}.py"), str(configs / "model.pth"))(frames)
        for style in ("old", "new")
        for kind in ("stock", "mine")
    ]
    assert all(torch.equal(outs[0], out) for out in outs[1:])
    bgr = Config.fromfile(configs / "old_stock.py")
    bgr.train_dataloader.dataset.pipeline[0].channel_order = "bgr"
    assert not torch.equal(outs[0], FrameModel(bgr, str(configs / "model.pth"))(frames))


@pytest.mark.parametrize("kind", ["stock", "mine"])
def test_both_styles_are_tuned_with_the_same_distance(configs, kind):
    old, new = (_wrapping(Config.fromfile(configs / f"{style}_{kind}.py")) for style in ("old", "new"))
    for one, other in zip(old, new):
        assert type_name(one) == type_name(other)
    assert type_name(new[1]) == "L1Loss"
    assert type_name(stock_model_config(Config.fromfile(configs / f"new_{kind}.py"))) == "BaseEditModel"


@pytest.mark.slow
def test_the_new_style_is_processed_and_tuned_by_our_tools(configs, tmp_path):
    cv2.imwrite(
        str(tmp_path / "in" / "0.png") if (tmp_path / "in").mkdir() is None else "", skimage.data.cat()[:32, :48]
    )
    tool("tools/process_video.py", configs / "new_mine.py", configs / "model.pth", tmp_path / "in", tmp_path / "out",
         "--fps", 24)  # fmt: skip
    assert cv2.imread(str(tmp_path / "out" / "0.png")).shape == (128, 192, 3)
    told = tool("tools/tune_alpha.py", configs / "new_stock.py", configs / "model.pth", "--work-dir", tmp_path / "t",
                "--num-clips", 2, "--num-frames", 3, "--iterations", 2, "--budget", 4)  # fmt: skip
    assert "MSELoss" not in told  # of a network with an L1 loss


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("L1Loss", "L1Loss"),
        ("mmagic.L1Loss", "L1Loss"),
        (torch.nn.HuberLoss, "HuberLoss"),
        (dict(type="mmagic.models.losses.L1Loss", a=1), "L1Loss"),
        (dict(type=torch.nn.HuberLoss), "HuberLoss"),
        (dict(), ""),
        (None, ""),
    ],
)
def test_names_of_types(config, name):
    assert type_name(config) == name


def test_plain_configs_can_be_written():
    config = plain(dict(a=[dict(type=torch.nn.HuberLoss)], b=(1, "x")))
    assert config == dict(a=[dict(type="torch.nn.modules.loss.HuberLoss")], b=[1, "x"])
    assert config_hash(Config(config)) == config_hash(Config(dict(config, inference_pipeline=[1])))


@pytest.mark.parametrize("loss", [dict(type=torch.nn.HuberLoss, delta=0.01), dict(type="HuberLoss", delta=0.01)])
def test_the_loss_of_inst_colorization_is_the_authors(loss):
    from mmtempreg.models.siamese.families.colorization import ColorizationFamily

    class Prepared(ColorizationFamily):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.image_model = torch.nn.Module()
            self.image_model.model_class = torch.nn.Module()
            self.instance_model, self.fusion_model = torch.nn.Module(), torch.nn.Module()

        def forward(self, *args, **kwargs):
            raise NotImplementedError

    model = Prepared()
    model.prepare(dict(loss=loss))
    assert isinstance(model._pixel_loss, torch.nn.SmoothL1Loss)
    assert model._pixel_loss.beta == 0.01


# ---------------------------------------------------------------- MMagic's inferencer

INFERENCER = """
import sys, warnings
warnings.filterwarnings("ignore")
import mmtempreg
import torch
from mmengine.config import Config
from mmagic.apis.inferencers import Inferencers

config, checkpoint, image, out, picture = sys.argv[1:]
inferencer = Inferencers("Image super-resolution", config, checkpoint, device="cpu")
inferencer(img=image, result_out_dir=picture)
(sample,) = inferencer.inferencer.forward(inferencer.inferencer.preprocess(img=image))
torch.save(sample.output.pred_img, out)
"""


@pytest.mark.parametrize("task", ["color_finetune", "hdr_finetune", "hdr_anti_aliased", "stock"])
@pytest.mark.slow
def test_the_inferencer_gives_what_we_give(configs, tmp_path, task):
    photo = np.ascontiguousarray(skimage.data.astronaut()[:64, 100:164])
    cv2.imwrite(str(tmp_path / "photo.png"), photo[..., ::-1])
    if task == "stock":
        config, checkpoint = configs / "old_mine.py", configs / "model.pth"
        text = config.read_text() + (
            "inference_pipeline = [dict(type='LoadImageFromFile', key='img', channel_order='rgb'),"
            "                      dict(type='PackInputs')]\n"
        )
        config = configs / "old_inferred.py"
        config.write_text(text)
    else:
        config = ROOT / f"configs/tempreg/{task}.py"
        checkpoint = ROOT / f"checkpoints/{task.partition('_')[0]}_baseline.pth"
    import mmagic.apis.inferencers  # noqa: F401, once for all of these

    command = [config, checkpoint, tmp_path / "photo.png", tmp_path / "out.pt", tmp_path / "out.png"]
    done = forked.run(
        [sys.executable, "-c", INFERENCER, *map(str, command)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = torch.load(tmp_path / "out.pt").squeeze(0)
    frames = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    expected = FrameModel(Config.fromfile(config), str(checkpoint))(frames)[0].flip(0)  # MMagic's results are BGR
    if not task.startswith("hdr"):
        expected = expected * 255
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)
    assert cv2.imread(str(tmp_path / "out.png")).shape[:2] == expected.shape[1:]


def test_mmagics_apis_can_be_imported():
    code = "import mmtempreg, mmagic.apis, mediapipe; mediapipe.__version__; from mmagic.apis import MMagicInferencer"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


# ---------------------------------------------------------------- from elsewhere


@pytest.mark.slow
def test_what_configs_name_is_found_from_anywhere(tmp_path):
    """As `mim train mmtempreg CONFIG` runs it: the checkpoint to start from, and HDR images to test on."""
    options = [
        "train_dataloader.dataset.num_images=4",
        "train_dataloader.batch_size=2",
        "train_dataloader.num_workers=0",
    ]
    options += ["train_dataloader.persistent_workers=False", "train_cfg.max_epochs=1", "train_cfg.val_interval=1"]
    options += [f"val_dataloader.dataset.{o}" for o in ("num_clips=1", "num_frames=2", "size=64")]
    options += ["val_dataloader.num_workers=0", "default_hooks.checkpoint.save_best=TemporalResidual"]
    done = forked.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tools/train.py"),
         str(ROOT / "configs/tempreg/hdr_transinv_a0.8_images.py"), "--work-dir", "w", "--cfg-options", *options],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Load checkpoint from checkpoints/hdr_baseline.pth" in done.stdout
    assert list((tmp_path / "w").glob("best_TemporalResidual*.pth"))


@pytest.mark.parametrize(
    ("metric", "rule"),
    [
        ("TemporalResidual", "less"), ("pans/TemporalResidual", "less"), ("SaturatedPSNR", "greater"),
        ("faces/ClipPSNR", "greater"), ("WarpError", "less"), ("TemporalFlicker_E_warp", "less"), ("PSNR", "greater"),
    ],
)  # fmt: skip
def test_the_rule_of_save_best(metric, rule):
    hook = HOOKS.build(dict(type="SafeCheckpointHook", interval=1, save_best=metric, **_other(metric)))
    assert hook.rules == [rule]


def _other(metric):
    return dict(rule="greater") if metric == "PSNR" else {}


@pytest.mark.parametrize("metric", ["TemporalFlicker", "SpatialDetail", "clips/TemporalSmoothness"])
def test_metrics_that_are_best_in_the_middle(metric):
    with pytest.raises(ValueError, match="is best near 1, and no rule says that; choose another metric"):
        HOOKS.build(dict(type="SafeCheckpointHook", interval=1, save_best=metric))
    assert HOOKS.build(dict(type="SafeCheckpointHook", interval=1, save_best=metric, rule="less")).rules == ["less"]


def test_frames_of_clips_have_names_for_their_pictures(tmp_path):
    dataset = DATASETS.build(
        dict(type="ProceduralHDRDataset", num_clips=2, num_frames=3, size=16, data_root=str(tmp_path))
    )
    names = [dataset.get_data_info(index)["gt_path"] for index in range(6)]
    assert len({name.split("/")[-1].split(".")[0] for name in names}) == 6  # what MMagic makes of it
    config = Config.fromfile(ROOT / "configs/tempreg/hdr_finetune.py")
    assert "gt_path" in config.test_dataloader.dataset.pipeline[-1].meta_keys


def test_each_line_of_the_page_has_its_test():
    page = (ROOT / "docs" / "use_your_own_config.md").read_text().split("## What works, and how")[1].split("\n## ")[0]
    here = {path.name: path.read_text() for path in Path(__file__).parent.glob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)`(?:: (.*?))? \|", page)
    assert len(named) >= 10
    for file, tests in named:
        for test in re.findall("`(.*?)`", tests):
            assert re.search(rf"def test_\w*{test}\w*\(", here[file]), (file, test)
