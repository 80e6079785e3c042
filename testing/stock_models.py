"""The stock families as tests and benchmarks train them: their configs, on small real photographs.

The photographs are those that scikit-image installs (astronaut, cat, coffee, rocket), cut into pairs of a network's
input and its truth. The configs are those of `configs/stock`, with other data and no validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

IDENTITY_STEPS = 20
"""Steps after which the benchmark compares stock training and training with alpha=0."""

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Family:
    """A stock family.

    Attributes:
        name: Of its config, without `_transinv`.
        scale: Of its super-resolution; 1 for a network that keeps the size.
        crop: Edge of the truth's training crops in pixels; `full_crop` with its full-size networks, if they need more.
        small: Options that shrink its networks for tests; keys below `model.model`.
        trained: Name of the module that is regularised.
    """

    name: str
    scale: int = 1
    crop: int = 64
    small: dict[str, Any] = field(default_factory=dict)
    trained: str = "generator"
    full_crop: int | None = None

    def crop_of(self, small: bool) -> int:
        """Edge of the truth's crops, for networks shrunk by `small` or not."""
        return self.crop if small else self.full_crop or self.crop

    @property
    def config(self) -> Path:
        return ROOT / "configs" / "stock" / f"{self.name}_transinv.py"


_VGG = {"perceptual_loss.layer_weights": {"2": 1.0}}
_RRDB = {"generator.mid_channels": 8, "generator.num_blocks": 1, "generator.growth_channels": 4}
FAMILIES = (
    Family("srcnn", 4, 64, {"generator.channels": (3, 8, 4, 3), "generator.kernel_sizes": (3, 1, 3)}),
    Family("edsr", 2, 64, {"generator.mid_channels": 8, "generator.num_blocks": 1}),
    Family("rdn", 4, 64, {f"generator.{k}": v for k, v in dict(mid_channels=8, num_blocks=1, num_layers=2).items()}),
    Family("rrdbnet", 4, 64, _RRDB),
    Family("msrresnet", 4, 64, {"generator.mid_channels": 8, "generator.num_blocks": 1}),
    Family("swinir", 2, 32, {"generator.depths": [2], "generator.embed_dim": 12, "generator.num_heads": [2]}),
    Family(
        "nafnet", 1, 32,
        {"generator.mid_channels": 8, "generator.enc_blk_nums": [1, 1], "generator.middle_blk_num": 1,
         "generator.dec_blk_nums": [1, 1]},
    ),
    Family(
        "restormer", 1, 32,
        {"generator.dim": 8, "generator.num_blocks": [1, 1, 1, 1], "generator.num_refinement_blocks": 1,
         "generator.heads": [1, 1, 2, 2]},
    ),
    Family(
        "srgan", 4, 128,
        {"generator.mid_channels": 8, "generator.num_blocks": 1, "discriminator.mid_channels": 4, **_VGG},
    ),
    Family("esrgan", 4, 128, {**_RRDB, "discriminator.mid_channels": 4, **_VGG}),
    Family("real_esrgan", 4, 64, {**_RRDB, "discriminator.mid_channels": 4, **_VGG}),
    Family(
        "deblurganv2", 1, 64,
        {"generator.num_filter": 8, "generator.num_filter_fpn": 16, "pixel_loss.layer_weights": {"2": 1}},
    ),
    Family(
        "pix2pix", 1, 64,
        {"generator.base_channels": 4, "generator.num_down": 6, "discriminator.base_channels": 4}, "generators", 256,
    ),
    Family("inst_colorization", 1, 32, {}, "image_model"),
)  # fmt: skip


BY_KIND = [family for family in FAMILIES if family.name in ("edsr", "real_esrgan", "pix2pix", "inst_colorization")]
"""One for each family of `mmtempreg.models.siamese.families`."""


def real_images(folder: Path) -> None:
    """Writes 8 photographs of 144x144 as PNG: `gt`, and what networks see of it.

    That is `input_x1` (blurred and noisy), `input_x2` and `input_x4` (smaller), `pairs` (photograph and edges).
    """
    import cv2
    import numpy as np
    import skimage.data

    rng = np.random.default_rng(0)
    photos = {name: getattr(skimage.data, name)() for name in ("astronaut", "cat", "coffee", "rocket")}
    for name, photo in photos.items():
        h, w = photo.shape[:2]
        for k, (top, left) in enumerate(((h // 8, w // 8), (h // 2, w // 3))):
            gt = cv2.cvtColor(photo[top : top + 144, left : left + 144], cv2.COLOR_RGB2BGR)
            gt = cv2.resize(gt, (144, 144))
            noisy = cv2.GaussianBlur(gt, None, 1.0) + rng.normal(0, 8, gt.shape)
            edges = cv2.cvtColor(cv2.Canny(gt, 60, 160), cv2.COLOR_GRAY2BGR)
            made = {"gt": gt, "input_x1": noisy.clip(0, 255).astype(np.uint8), "pairs": np.hstack([gt, edges])}
            for scale in (2, 4):
                made[f"input_x{scale}"] = cv2.resize(gt, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
            for kind, image in made.items():
                path = folder / kind / f"{name}_{k}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if not cv2.imwrite(str(path), image):
                    raise OSError(f"cannot write {path}")


def family_config(family: Family, images: Path, work_dir: Path, steps: int, small: bool, batch: int = 2) -> Config:
    """The family's config of `configs/stock`, on the photographs of `real_images` and for `steps` iterations."""
    from mmengine.config import Config

    config = Config.fromfile(family.config)
    if small:
        config.merge_from_dict({f"model.model.{name}": value for name, value in family.small.items()})
        for loss in ("perceptual_loss", "pixel_loss"):  # merging keeps the stock layers
            layers = family.small.get(f"{loss}.layer_weights")
            if layers:
                config.model.model[loss].layer_weights = layers
    generator = config.model.model.get("generator", {})
    if generator.get("init_cfg", {}).get("type") == "Pretrained":  # it would be downloaded
        del generator["init_cfg"]
    loader = config.train_dataloader
    pipeline = loader.dataset.pipeline
    _crop(pipeline, family.crop_of(small), family.scale)
    kind = "gt" if family.name in ("inst_colorization", "real_esrgan") else f"input_x{family.scale}"
    if family.name == "pix2pix":
        dataset = dict(type="PairedImageDataset", data_root=str(images / "pairs"), test_dir="", test_mode=True)
    else:
        dataset = dict(type="BasicImageDataset", data_root=str(images), data_prefix=dict(img=kind, gt="gt"))
    config.train_dataloader = dict(
        batch_size=batch,
        num_workers=0,
        drop_last=True,
        sampler=dict(type="InfiniteSampler", shuffle=True),
        dataset=dict(dataset, pipeline=pipeline),
    )
    for name in ("val_cfg", "val_dataloader", "val_evaluator", "test_cfg", "test_dataloader", "test_evaluator"):
        config.pop(name, None)
    config.train_cfg = dict(type="IterBasedTrainLoop", max_iters=steps)
    config.param_scheduler = None
    config.load_from = None
    config.resume = False
    config.work_dir = str(work_dir)
    config.default_hooks = dict(
        logger=dict(type="LoggerHook", interval=max(1, steps)),
        checkpoint=dict(type="SafeCheckpointHook", interval=steps, by_epoch=False),
    )
    config.custom_hooks = [h for h in config.custom_hooks if "Visualization" not in h.type]
    config.visualizer = dict(type="Visualizer", vis_backends=[])
    config.randomness = dict(seed=0)
    config.log_level = "ERROR"
    config.env_cfg.cudnn_benchmark = False
    return config


def _crop(pipeline: list[dict], crop: int, scale: int) -> None:
    """Makes a stock pipeline give crops of this size."""
    sizes: dict[str, dict[str, Any]] = {
        "PairedRandomCrop": dict(gt_patch_size=crop),
        "PairedAlbuTransForms": dict(size=crop),
        "Crop": dict(crop_size=(crop, crop)),
        "FixedCrop": dict(crop_size=(crop, crop)),
        "Resize": dict(scale=(crop + 8, crop + 8)),
    }
    for step in pipeline:
        step.update(sizes.get(step["type"], {}))
        for resize in step.get("degradations", [{}, []])[1]:
            if resize["type"] == "RandomResize":
                resize["params"]["target_size"] = (crop // scale, crop // scale)


@contextmanager
def untrained_vgg() -> Iterator[None]:
    """Inside, perceptual losses use a VGG19 of random weights: MMagic would download the trained one."""
    import torchvision.models.vgg as torchvision_vgg

    build = torchvision_vgg.vgg19

    def untrained(pretrained: bool) -> Any:
        return build(weights=None)

    with mock.patch.object(torchvision_vgg, "vgg19", untrained):
        yield


def train(config: Config) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """The trained model, and its losses of every step by name."""
    import torch
    from mmengine.runner import Runner

    config.experiment_name = config.work_dir.replace("/", "_")  # MMEngine wants a new one for each runner
    with untrained_vgg(), initialisable_translation():
        runner = Runner.from_cfg(config)
        runner.train()
    losses = {
        name.removeprefix("train/"): torch.tensor(buffer.data[0])
        for name, buffer in runner.message_hub.log_scalars.items()
        if "loss" in name
    }
    return runner.model, losses


@contextmanager
def initialisable_translation() -> Iterator[None]:
    """Inside, a runner can initialise stock Pix2Pix, which it cannot otherwise: MMagic issue 2109."""
    from mmagic.models import BaseTranslationModel

    def init_weights(self: Any) -> None:
        for networks in (self.generators, self.discriminators):
            for network in networks.values():
                network.init_weights()

    with mock.patch.object(BaseTranslationModel, "init_weights", init_weights):
        yield


def same_as_stock(family: Family, images: Path, folder: Path, small: bool, steps: int = IDENTITY_STEPS) -> bool:
    """Tells if training with alpha=0 and stock training give the same weights, to the bit."""
    import torch

    states = []
    for name in ("stock", "alpha_0"):
        config = family_config(family, images, folder / name, steps, small)
        config.model.alpha = 0
        if name == "stock":
            config.model = config.model.model
        states.append(train(config)[0].state_dict())
    a, b = states
    return list(a) == list(b) and all(torch.equal(x, y) for x, y in zip(a.values(), b.values()))


def predicts_the_same(family: Family, config: Config, model: torch.nn.Module, small: bool) -> bool:
    """Tells if the stock model with the saved weights predicts what the trained model does, to the bit."""
    import torch
    from mmagic.registry import MODELS
    from mmengine.runner import CheckpointLoader

    path = Path(config.work_dir) / f"iter_{config.train_cfg.max_iters}.pth"
    with untrained_vgg():
        stock = MODELS.build(config.model.model)
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    stock.load_state_dict(checkpoint["state_dict"], strict=True)
    networks = [getattr(m, family.trained) for m in (model, stock)]
    size = max(16, family.crop_of(small) // family.scale)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.rand(1, 3, size, size, generator=generator)]
    if family.name == "pix2pix":
        networks = [network["photo"] for network in networks]
    elif family.name == "inst_colorization":
        inputs = [torch.rand(1, channels, size, size, generator=generator) for channels in (1, 2, 1)]
    with torch.no_grad():
        outputs = [network.eval()(*inputs) for network in networks]
    if family.name == "inst_colorization":
        outputs = [colour for _, colour, _ in outputs]
    return torch.equal(*outputs)
