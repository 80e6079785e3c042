"""Every supported family of stock models, from its config in configs/stock, on small real photographs."""

import copy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmagic.models.editors.inst_colorization.color_utils import rgb2lab
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint

from testing.stock_models import FAMILIES, family_config, predicts_the_same, same_as_stock, train

NAMES = [family.name for family in FAMILIES]


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
@pytest.mark.slow
def test_trains_and_goes_back_to_stock(family, images, tmp_path):
    config = family_config(family, images, tmp_path / "run", steps := 6, small=True)
    model, losses = train(config)
    for name in ("loss_rec", "loss_reg"):
        assert len(losses[name]) == steps
        assert torch.isfinite(losses[name]).all()
    assert predicts_the_same(family, config, model, small=True)


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.name != "inst_colorization"], ids=lambda f: f.name)
@pytest.mark.slow
def test_alpha_0_is_stock_training_to_the_bit(family, images, tmp_path):
    assert same_as_stock(family, images, tmp_path, small=True, steps=6)


@pytest.mark.slow
def test_alpha_0_colorization_is_training_by_hand(images, tmp_path):
    (family,) = (f for f in FAMILIES if f.name == "inst_colorization")
    config = family_config(family, images, tmp_path / "run", 1, small=True)
    config.model.alpha = 0
    config.experiment_name = "by_hand"
    config.optim_wrapper.optimizer = dict(type="SGD", lr=1e-3)  # Adam, and more steps, would blow rounding up
    runner = Runner.from_cfg(config)
    by_hand = copy.deepcopy(runner.model)
    seen = []
    forward_train = type(runner.model).forward_train
    with mock.patch.object(
        type(runner.model), "forward_train", lambda self, x, d: (seen.append(x), forward_train(self, x, d))[1]
    ):
        runner.train()
    by_hand.init_weights()
    option = config.model.model.color_data_opt
    network = by_hand.image_model
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    assert not torch.equal(runner.model.image_model.model1[0].weight, network.model1[0].weight)
    for x in seen:
        lab = rgb2lab(x, option)
        hints = torch.zeros(len(x), 2, *x.shape[-2:])
        _, colour, _ = network(lab[:, :1], hints, torch.full_like(lab[:, :1], -0.5))
        difference = (colour - lab[:, 1:]).abs()
        loss = torch.where(difference < 0.01, difference**2 / 0.02, difference - 0.005).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for a, b in zip(runner.model.state_dict().values(), by_hand.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


def test_colorization_predicts_on_the_cpu_and_leaves_single_objects_alone(images, tmp_path):
    (family,) = (f for f in FAMILIES if f.name == "inst_colorization")
    config = family_config(family, images, tmp_path / "run", 1, small=True)
    model = MODELS.build(config.model).eval()
    grey = torch.rand(2, 1, 32, 32).expand(2, 3, 32, 32)
    with torch.no_grad():
        colour = model(grey, mode="tensor")
    assert colour.shape == grey.shape
    option = config.model.model.color_data_opt
    # lightness is kept where the colour is one that sRGB has
    inside = ((colour > 0.02) & (colour < 0.98)).all(1, keepdim=True)
    before, after = (rgb2lab(image, option)[:, :1] for image in (grey, colour))
    torch.testing.assert_close(before[inside], after[inside], rtol=0, atol=2e-3)
    trainable = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trainable == {"image_model"}


@pytest.mark.slow
def test_the_discriminator_is_trained_as_in_the_stock_model(images, tmp_path):
    """Its gradients in the first step, before the two generators part."""
    (family,) = (f for f in FAMILIES if f.name == "srgan")
    states = []
    for alpha in (0, 0.8):
        config = family_config(family, images, tmp_path / str(alpha), 1, small=True)
        config.model.alpha = alpha
        model, _ = train(config)
        states.append(model)
    a, b = ([*m.discriminator.state_dict().values()] for m in states)
    assert all(torch.equal(x, y) for x, y in zip(a, b))
    assert not torch.equal(states[0].generator.conv_first.weight, states[1].generator.conv_first.weight)


PLAIN = """
import os, sys, types
sys.modules["mmtempreg"] = None  # not to be imported
import numpy as np, torch
np.bool8 = np.bool_
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # as in these tests: others add up in another order
try:
    import mmcv._ext
except ImportError:  # mmcv-lite
    class Extension(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})
    sys.modules["mmcv._ext"] = Extension("mmcv._ext")
from mmagic.registry import MODELS
from mmagic.utils import register_all_modules
from mmengine.config import Config
register_all_modules()
for folder in sys.argv[1:]:
    model = MODELS.build(Config.fromfile(f"{folder}/stock.py").model).eval()
    for name in open(f"{folder}/checkpoints.txt").read().split():
        # MMEngine's own checkpoints hold more than weights: plain MMEngine loads them like this with torch < 2.6
        weights = torch.load(f"{folder}/{name}", weights_only=False)["state_dict"]
        model.load_state_dict(weights, strict=True)
        x, expected = torch.load(f"{folder}/{name}.io")
        with torch.no_grad():
            assert torch.equal(model(x, mode="tensor"), expected), name
assert sys.modules["mmtempreg"] is None
print("all equal")
"""


@pytest.fixture(scope="module")
def checkpoints(images, tmp_path_factory):
    """Runs with MMEngine's and with MMagic's averaged weights, validated, resumed, the best kept."""
    root = tmp_path_factory.mktemp("round_trip")
    for name, family in (("mmengine_ema", FAMILIES[0]), ("mmagic_ema", FAMILIES[NAMES.index("real_esrgan")])):
        folder = root / name
        for steps, resume in ((4, False), (8, True)):
            config = family_config(family, images, folder, steps, small=True)
            config.experiment_name = f"{name}_{steps}"
            config.model.model.pop("perceptual_loss", None)  # the plain process would download its network
            config.default_hooks.checkpoint.update(interval=4, save_best="PSNR", rule="greater")
            if name == "mmengine_ema":
                config.custom_hooks = [*config.custom_hooks, dict(type="EMAHook", momentum=0.1)]
            config.train_cfg.val_interval = 4
            config.val_cfg = dict(type="MultiValLoop")
            config.val_evaluator = dict(type="Evaluator", metrics=[dict(type="PSNR")])
            pipeline = [dict(type="LoadImageFromFile", key=key) for key in ("img", "gt")] + [dict(type="PackInputs")]
            prefix = dict(img=f"input_x{family.scale}", gt="gt")
            config.val_dataloader = dict(
                batch_size=1, num_workers=0, sampler=dict(type="DefaultSampler", shuffle=False),
                dataset=dict(type="BasicImageDataset", data_root=str(images), data_prefix=prefix, pipeline=pipeline),
            )  # fmt: skip
            config.resume = resume
            Runner.from_cfg(config).train()
            siamese = MODELS.build(config.model).eval()
        Config(dict(default_scope="mmagic", model=config.model.model.to_dict())).dump(str(folder / "stock.py"))
        saved = sorted(path.name for path in folder.glob("*.pth"))
        (folder / "checkpoints.txt").write_text("\n".join(saved))
        for path in saved:
            load_checkpoint(siamese, str(folder / path), strict=True)
            x = torch.rand(1, 3, 16, 16)
            with torch.no_grad():
                torch.save((x, siamese(x, mode="tensor")), folder / f"{path}.io")
    return root


@pytest.mark.slow
def test_checkpoints_load_in_plain_mmagic_and_predict_the_same(checkpoints):
    folders = [str(checkpoints / name) for name in ("mmengine_ema", "mmagic_ema")]
    for folder in folders:
        names = Path(folder, "checkpoints.txt").read_text()
        assert "best_PSNR" in names
        assert "iter_4.pth" in names
        assert "iter_8.pth" in names
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", PLAIN, *folders], capture_output=True, text=True)
    assert "all equal" in result.stdout, result.stderr[-2000:]
