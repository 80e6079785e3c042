"""Anti-aliased strides: sizes, keys, what cannot be, and that it goes together with all else."""

import copy
import logging
import pickle
import sys
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmtempreg.apis import FrameModel
from mmtempreg.apis.frame_model import shift_positions
from mmtempreg.engine import StrictLoadHook
from mmtempreg.models import HDRCNN, AntiAliasedModel, ColorizationCNN, ColorizationVGG, num_variables
from mmtempreg.models.anti_aliasing import (
    AntiAliasedMaxPool2d,
    anti_alias,
    functional_sampling,
    strided_modules,
    without_anti_aliasing,
)
from mmtempreg.openmmlab.checkpoints import anti_aliasing_of, load_weights, read_checkpoint
from mmtempreg.openmmlab.configs import stock_model_config
from testing import forked
from testing.processes import in_processes
from testing.stock_models import FAMILIES, family_config, untrained_vgg
from tests.models.test_siamese import SRCNN, photo_batch

SMALL = dict(type="HDRCNN", encoder_channels=((4,), (4,)), bottleneck_channels=(4,))
HDR = dict(type="HDRReconstructionModel", generator=SMALL)
STRIDED = dict(
    type="BaseEditModel",
    generator=dict(type="NAFNet", mid_channels=4, enc_blk_nums=[1, 1], middle_blk_num=1, dec_blk_nums=[1, 1]),
    pixel_loss=dict(type="L1Loss"),
    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
)


def anti_aliased(model, **options):
    return dict(type="AntiAliasedModel", model=model, **options)


@pytest.fixture
def warnings_of(monkeypatch):
    """What is warned of."""
    said = []

    def note(message, logger=None, level=logging.INFO):
        said.extend([message] if level >= logging.WARNING else [])

    for module in ("mmtempreg.models.anti_aliasing", "mmtempreg.openmmlab.checkpoints"):
        monkeypatch.setattr(f"{module}.print_log", note)
    return lambda: said


# ---------------------------------------------------------------- one pooling, one convolution

POOLS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.MaxPool2d(3, 3, 1, dilation=2),
    nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True),
    nn.MaxPool2d(5, 4, 2, ceil_mode=True),
    nn.MaxPool2d((2, 3), (2, 1)),
]


@pytest.mark.parametrize("pool", POOLS, ids=repr)
@pytest.mark.parametrize("size", [(16, 16), (17, 15), (7, 9), (2, 2), (1, 1), (1, 8)])
def test_sizes_and_places_are_those_of_the_pooling(pool, size):
    """A slope is its own maximum but for a constant, and a low-pass leaves it: the values say where outputs stand."""
    x = torch.randn(2, 3, *size)
    try:
        expected = pool(x)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            AntiAliasedMaxPool2d(pool)(x)
        return
    filtered = AntiAliasedMaxPool2d(pool)
    assert filtered(x).shape == expected.shape
    assert filtered(x).isfinite().all()
    torch.testing.assert_close(
        filtered(x.requires_grad_()), filtered(x.detach()), rtol=0, atol=0
    )  # two ways, one value
    slope = torch.arange(float(size[1])).expand(1, 1, *size)
    inner = slice(2, -2) if expected.shape[-1] > 6 else slice(0, 0)
    torch.testing.assert_close(filtered(slope)[..., inner], pool(slope)[..., inner])


def test_the_maximum_is_taken_at_stride_1_and_filtered():
    x = torch.rand(1, 2, 12, 12)
    maxima = F.max_pool2d(x, 2, 1)
    padded = F.pad(maxima, (1, 1, 1, 1), mode="replicate")
    kernel = torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([1.0, 2, 1])) / 16
    expected = F.conv2d(padded, kernel.expand(2, 1, 3, 3), stride=2, groups=2)
    torch.testing.assert_close(AntiAliasedMaxPool2d(nn.MaxPool2d(2))(x), expected)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 6, 3, 2, 1),
        nn.Conv2d(4, 6, 4, 2, 1),
        nn.Conv2d(4, 4, 3, 2, 1, groups=4),
        nn.Conv2d(4, 6, 3, 2, 2, dilation=2),
        nn.Conv2d(4, 6, 1, 2),
        nn.Conv2d(4, 6, 5, 3, 2, padding_mode="reflect"),
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1),
        ConvModule(4, 6, 3, 2, 1, act_cfg=None),
    ],
    ids=repr,
)
def test_a_linear_stage_is_the_stage_at_stride_1_and_the_filter(conv):
    """Up to the border: which is what a filter before it comes to, at a fraction of the cost."""
    x = torch.randn(1, 4, 40, 40)
    network = nn.Sequential(conv)
    single = copy.deepcopy(conv.conv if isinstance(conv, ConvModule) else conv)
    stride = single.stride if isinstance(single.stride, int) else single.stride[0]
    single.stride = 1 if isinstance(single, nn.AvgPool2d) else (1, 1)
    fine = single(x)
    kernel = torch.nn.functional.conv1d(
        torch.ones(1, 1, stride) / stride, torch.ones(1, 1, stride) / stride, padding=stride - 1
    )
    kernel = torch.outer(kernel[0, 0], kernel[0, 0]).expand(fine.shape[1], 1, -1, -1)
    expected = F.conv2d(fine, kernel, padding=stride - 1, stride=stride, groups=fine.shape[1])
    size = network(x).shape
    assert len(anti_alias(network)) == 1
    found = network(x)
    assert found.shape == size
    torch.testing.assert_close(found[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4][..., : size[-2] - 8, : size[-1] - 8])


def test_indices_are_refused_by_name_and_can_be_left_out():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, 2), nn.MaxPool2d(2, return_indices=True))
    with pytest.raises(ValueError, match=r"1 \(MaxPool2d, stride 2\) cannot be anti-aliased: it gives indices .*keep="):
        anti_alias(network)
    assert [one.name for one in anti_alias(copy.deepcopy(network), keep=["1"])] == ["0"]
    with pytest.raises(ValueError, match="keep names 'pool'"):
        anti_alias(network, keep=["pool"])


def test_a_pooling_that_stands_in_several_places_is_replaced_in_all():
    pool = nn.MaxPool2d(2)
    network = nn.Sequential(nn.Conv2d(3, 3, 3), pool, nn.ReLU(), pool, nn.Sequential(pool))
    network.other = pool
    assert len(anti_alias(network)) == 1
    assert not any(isinstance(module, nn.MaxPool2d) for module in network.modules())
    assert network.other is network[1] is network[3] is network[4][0]


class ByKeyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 3, 3, 2), nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(input=self.conv(input=x))


def test_modules_may_be_called_by_keyword():
    network = ByKeyword()
    expected = network(torch.ones(1, 3, 20, 20))
    assert len(anti_alias(network)) == 2
    torch.testing.assert_close(network(torch.ones(1, 3, 20, 20)), expected)


def test_a_pooling_by_itself_cannot_be_replaced():
    with pytest.raises(ValueError, match="MaxPool2d is a pooling itself"):
        anti_alias(nn.MaxPool2d(2))


def test_what_an_average_of_the_generator_predicts_is_anti_aliased_too():
    network = dict(STRIDED["generator"])
    model = dict(type="RealESRGAN", is_use_ema=True, generator=network, pixel_loss=dict(type="L1Loss"),
                 data_preprocessor=STRIDED["data_preprocessor"])  # fmt: skip
    built = MODELS.build(anti_aliased(model))
    assert strided_modules(built.generator) == strided_modules(built.generator_ema) == []


def test_twice_is_once():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, 2), nn.MaxPool2d(2))
    assert len(anti_alias(network)) == 2
    before = network(torch.ones(1, 3, 33, 33))
    assert anti_alias(network) == []
    torch.testing.assert_close(network(torch.ones(1, 3, 33, 33)), before)


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("kind", "options", "variables"),
    [
        (HDRCNN, {}, 1_289_653),
        (HDRCNN, HDRCNN.full_size(), 29_447_332),
        (ColorizationCNN, {}, 1_568_698),
        (ColorizationVGG, {}, 19_422_634),
    ],
    ids=["HDRCNN", "full", "ColorizationCNN", "ColorizationVGG"],
)
def test_keys_and_counts_stay(kind, options, variables):
    plain, filtered = kind(**options), kind(**options, anti_aliased=True)
    assert num_variables(filtered) == variables
    assert list(filtered.state_dict()) == list(plain.state_dict())
    filtered.load_state_dict(plain.state_dict())
    x = torch.rand(1, 1 if kind is not HDRCNN else 3, 45, 70)
    first, second = plain.eval()(x), filtered.eval()(x)
    assert first.shape == second.shape
    assert not torch.equal(first, second)
    assert strided_modules(filtered) == []
    assert anti_aliasing_of(filtered.state_dict()) == dict(taps=3)
    assert anti_aliasing_of(plain.state_dict()) is None


def test_the_shipped_network_changes_less_when_the_picture_moves_by_a_pixel():
    x = torch.rand(1, 3, 97, 97)
    x = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1).mul(3).clamp(0, 1)
    changes = []
    for options in ({}, dict(anti_aliased=True)):
        network = HDRCNN(**options).eval()
        load_weights(_holder(network), "checkpoints/hdr_baseline.pth", "HDRCNN")
        with torch.no_grad():
            still, moved = network(x[..., :96, :96]), network(x[..., 1:, 1:])
        changes.append(float((still[..., 17:-16, 17:-16] - moved[..., 16:-17, 16:-17]).square().mean()))
    assert changes[1] < 0.4 * changes[0]


def _holder(network):
    holder = nn.Module()
    holder.generator = network
    return holder


@pytest.mark.parametrize("wrap", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copied", "pickled"])
def test_copies_are_anti_aliased_too(wrap):
    model = MODELS.build(anti_aliased(STRIDED)).eval()
    again = wrap(model)
    x = torch.rand(1, 3, 24, 24)
    torch.testing.assert_close(again.generator(x), model.generator(x), rtol=0, atol=0)
    assert anti_aliasing_of(again.state_dict()) == dict(taps=3)


def test_it_is_the_stock_model(warnings_of):
    model, stock = MODELS.build(anti_aliased(STRIDED, taps=5)), MODELS.build(STRIDED)
    assert type(model) is type(stock)
    assert list(model.state_dict()) == list(stock.state_dict())
    assert anti_aliasing_of(model.state_dict()) == dict(taps=5)
    assert warnings_of() == []


class Functional(nn.Module):
    """Samples in four ways that are no modules."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.deep = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1))

    def forward(self, x):
        x = self.deep(self.conv(x))
        pooled, averaged = F.max_pool2d(x, 2), F.avg_pool2d(x, 2)
        cut, less = x[:, :, ::2, ::2], F.interpolate(x, scale_factor=0.5)
        unshuffled = F.pixel_unshuffle(x, 2)[:, :4]
        whole = F.adaptive_avg_pool2d(x, 1)  # of the whole picture: no phase
        return pooled + averaged + cut + less + unshuffled + whole


def test_what_samples_outside_of_modules_is_named(warnings_of):
    found = functional_sampling(Functional())
    assert found == [
        f"forward: {what}"
        for what in ("max_pool2d", "avg_pool2d", "a slice with a step", "interpolate", "pixel_unshuffle")
    ]
    MODELS.build(anti_aliased(dict(STRIDED, generator=dict(type=Functional))))
    (said,) = warnings_of()
    assert "not anti-aliased" in said
    assert "generator.forward: max_pool2d" in said


def test_a_network_that_cannot_be_looked_into_says_so(warnings_of):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, 2)

        def forward(self, x, y):
            return self.conv(x) + y

    with pytest.raises(RuntimeError, match=r"it does not run on an image of \(3, 64, 64\)"):
        functional_sampling(Pair())
    MODELS.build(anti_aliased(dict(STRIDED, generator=dict(type=Pair))))
    assert warnings_of() == []  # that is no warning: what can be replaced was


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (anti_aliased(SRCNN), "BaseEditModel has no nn.MaxPool2d, nn.AvgPool2d or strided nn.Conv2d to anti-alias"),
        (anti_aliased(STRIDED, taps=4), "taps must be odd and 3 at least"),
        (anti_aliased(STRIDED, keep=["generator.none"]), "keep names 'generator.none', which NAFNet does not have"),
        (anti_aliased(STRIDED, keep=["generator"]), "to anti-alias but for what was named in keep"),
        (anti_aliased(STRIDED, keep="generator.intro"), "keep must be"),
        (
            anti_aliased(anti_aliased(STRIDED)),
            "the strides of generator of this BaseEditModel are anti-aliased already",
        ),
        (dict(type="SiameseEditModel", model=anti_aliased(STRIDED, taps="5")), "taps must be a whole number"),
        (dict(type="SiameseEditModel", model=anti_aliased(STRIDED, keep="a")), "keep must be"),
        (
            anti_aliased(STRIDED, keep=["discriminator.a"]),
            "keep names 'discriminator.a', which is in none of the networks",
        ),
        (anti_aliased(STRIDED, keep=["generator.downs"]), "to anti-alias but for what was named in keep"),
        (anti_aliased(STRIDED, taps=3.5), "taps must be a whole number"),
        (dict(type="HDRCNN", anti_aliased=True, taps=2), "taps must be odd"),
    ],
)
def test_bad_input(config, says):
    with pytest.raises(ValueError, match=says):
        MODELS.build(config)


# ---------------------------------------------------------------- checkpoints


def saved(model, path):
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def test_a_checkpoint_tells_and_both_mistakes_are_warned_of(tmp_path, warnings_of):
    plain, filtered = MODELS.build(STRIDED), MODELS.build(anti_aliased(STRIDED))
    paths = saved(plain, tmp_path / "plain.pth"), saved(filtered, tmp_path / "filtered.pth")
    assert [anti_aliasing_of(read_checkpoint(path)) for path in paths] == [None, dict(taps=3)]
    load_weights(plain, paths[0], "plain")
    load_weights(filtered, paths[1], "filtered")
    assert warnings_of() == []
    load_weights(plain, paths[1], "plain")
    load_weights(filtered, paths[0], "filtered")
    load_weights(MODELS.build(anti_aliased(STRIDED, taps=5)), paths[1], "other")
    first, second, third = warnings_of()
    assert "filtered.pth was trained with anti-aliased strides" in first
    assert "dict(type='AntiAliasedModel', model=...)" in first
    assert "plain.pth was trained without anti-aliased strides" in second
    assert "{'taps': 3}, and this network has {'taps': 5}" in third


def test_a_bare_state_dict_tells_and_what_was_left_out_stays_out(tmp_path):
    torch.save(MODELS.build(anti_aliased(STRIDED, keep=["generator.downs.0"])).state_dict(), tmp_path / "bare.pth")
    about = dict(taps=3, keep=["downs.0"])
    assert anti_aliasing_of(read_checkpoint(tmp_path / "bare.pth")) == about
    for config in (STRIDED, anti_aliased(STRIDED, taps=5)):
        model = FrameModel(Config(dict(model=config)), str(tmp_path / "bare.pth")).model
        assert anti_aliasing_of(model.state_dict()) == about
        assert [one.name for one in strided_modules(model.generator)] == ["downs.0"]


def test_new_style_configs_name_it_by_itself():
    model = dict(type="SiameseEditModel", model=dict(type=AntiAliasedModel, model=STRIDED))
    assert anti_aliasing_of(MODELS.build(model).state_dict()) == dict(taps=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tap'; did you mean 'taps'"):
        MODELS.build(dict(type="SiameseEditModel", model=dict(type=AntiAliasedModel, model=STRIDED, tap=5)))


def test_what_is_published_tells_too(tmp_path):
    saved(MODELS.build(anti_aliased(STRIDED)), tmp_path / "a.pth")
    command = [sys.executable, "-W", "ignore", "tools/model_converters/publish_model.py"]
    done = forked.run([*command, str(tmp_path / "a.pth"), str(tmp_path / "b.pth")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert anti_aliasing_of(read_checkpoint(tmp_path / "b.pth")) == dict(taps=3)


@pytest.mark.parametrize("training", [False, True])
def test_a_test_runs_with_the_strides_of_the_checkpoint_and_a_training_warns(tmp_path, warnings_of, training):
    path = saved(MODELS.build(anti_aliased(STRIDED)), tmp_path / "a.pth")
    runner = mock.Mock(model=MODELS.build(STRIDED), _load_from=str(path), _train_loop=object() if training else {})
    StrictLoadHook().after_load_checkpoint(runner, read_checkpoint(path))
    assert (anti_aliasing_of(runner.model.state_dict()) is None) == training
    assert len(warnings_of()) == training


def train_config(model, images, work_dir, steps, **options):
    nafnet = next(family for family in FAMILIES if family.name == "nafnet")
    config = family_config(nafnet, images, work_dir, steps, small=True)
    config.model = model
    config.custom_hooks = [dict(type=f"{name}Hook") for name in ("StrictLoad", "ExactResume", "FiniteLoss")]
    config.merge_from_dict(options)
    return config


def siamese(model, **options):
    return dict(
        type="SiameseEditModel",
        model=model,
        transform=dict(type="RandomShift", max_shift=4),
        regularization=dict(type="TransformInvarianceLoss"),
        **options,
    )


@pytest.mark.slow
def test_it_trains_resumes_to_the_bit_and_says_so_in_what_it_saves(images, tmp_path, warnings_of):
    start = saved(MODELS.build(STRIDED), tmp_path / "start.pth")
    model = siamese(anti_aliased(STRIDED), target="teacher", teacher=str(start), teacher_shift=4)
    whole = train_config(model, images, tmp_path / "whole", 4, load_from=str(start))
    whole.default_hooks.checkpoint.interval = 2
    Runner.from_cfg(copy.deepcopy(whole)).train()
    half = copy.deepcopy(whole)
    half.work_dir = str(tmp_path / "half")
    half.train_cfg.max_iters = 2
    Runner.from_cfg(copy.deepcopy(half)).train()
    half.train_cfg.max_iters, half.resume, half.load_from = 4, True, None
    Runner.from_cfg(half).train()
    one, other = (read_checkpoint(tmp_path / name / "iter_4.pth") for name in ("whole", "half"))
    assert all(torch.equal(one["state_dict"][n], other["state_dict"][n]) for n in one["state_dict"])
    assert anti_aliasing_of(one) == dict(taps=3)
    assert not any(
        torch.equal(one["state_dict"][n], read_checkpoint(start)["state_dict"][n]) for n in ("generator.intro.weight",)
    )
    assert any("start.pth was trained without anti-aliased strides" in said for said in warnings_of())


@pytest.mark.parametrize(
    "nested", [lambda m: siamese(anti_aliased(m)), lambda m: anti_aliased(siamese(m))], ids=["in", "out"]
)
def test_it_stands_inside_the_wrapper_or_around_it(nested):
    model = MODELS.build(nested(STRIDED))
    assert type(model).__name__ == "SiameseBaseEditModel"
    assert anti_aliasing_of(model.state_dict()) == dict(taps=3)
    assert strided_modules(model.generator) == []
    stock = stock_model_config(Config(dict(model=nested(STRIDED))))
    assert anti_aliasing_of(MODELS.build(stock).state_dict()) == dict(taps=3)
    assert without_anti_aliasing(dict(HDR, generator=dict(SMALL, anti_aliased=True))) == HDR


def test_the_teacher_is_as_its_checkpoint_was_trained(tmp_path):
    """Of the network as it came: with its own strides; of one that was anti-aliased: like that."""
    for name, config in (("plain", STRIDED), ("filtered", anti_aliased(STRIDED))):
        path = saved(MODELS.build(config), tmp_path / f"{name}.pth")
        model = MODELS.build(
            dict(type="SiameseEditModel", model=anti_aliased(STRIDED), target="teacher", teacher=str(path))
        )
        teacher = model.teacher.load(model)
        assert (anti_aliasing_of(teacher.state_dict()) is not None) == (name == "filtered")


@pytest.mark.slow
def test_every_family_with_strides(images, tmp_path):
    for name in ("pix2pix", "deblurganv2", "nafnet"):
        family = next(one for one in FAMILIES if one.name == name)
        config = family_config(family, images, tmp_path / name, 1, small=True)
        config.model.model = anti_aliased(config.model.model)
        config.model.transform = dict(type="RandomShift", max_shift=4)
        with untrained_vgg():
            runner = Runner.from_cfg(config)
            runner.train()
        assert anti_aliasing_of(read_checkpoint(tmp_path / name / "iter_1.pth")) == dict(taps=3)
        discriminator = getattr(runner.model, "discriminator", None) or getattr(
            runner.model, "discriminators", nn.Module()
        )
        strided = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d) and max(m.stride) > 1]
        assert bool(strided) == (name != "nafnet")  # they stay as they are
        assert all(not m._forward_pre_hooks for m in strided)


@pytest.mark.slow
def test_two_ranks_have_the_weights_of_one_process(tmp_path):
    start, batch = MODELS.build(STRIDED).state_dict(), photo_batch(4, size=32, scale=1)

    def stepped(wrap, part):
        model = MODELS.build(dict(type="SiameseEditModel", model=anti_aliased(STRIDED), alpha=0.0))
        model.load_state_dict(start)
        optimiser = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
        wrap(model).train().train_step(copy.deepcopy(part), optimiser)
        return dict(model.state_dict())

    def rank(number):
        part = {name: values[2 * number : 2 * number + 2] for name, values in batch.items()}
        return stepped(MMDistributedDataParallel, part)

    first, second = in_processes(rank, 2, tmp_path)
    alone = stepped(lambda model: model, batch)
    for name, value in alone.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5)
    assert not torch.equal(alone["generator.intro.weight"], start["generator.intro.weight"])


def test_frames_go_through_it_whether_the_config_says_so_or_not(tmp_path, warnings_of):
    paths = [
        saved(MODELS.build(config), tmp_path / f"{i}.pth")
        for i, config in enumerate((anti_aliased(STRIDED, taps=5), STRIDED))
    ]
    frames = torch.rand(2, 3, 27, 33)

    def processed(path, config):
        return FrameModel(Config(dict(model=config)), str(path))(frames)

    out = processed(paths[0], anti_aliased(STRIDED, taps=5))
    assert out.shape == frames.shape
    torch.testing.assert_close(processed(paths[0], STRIDED), out, rtol=0, atol=0)  # the checkpoint tells
    assert warnings_of() == []
    with_it, without = processed(paths[1], anti_aliased(STRIDED)), processed(paths[1], STRIDED)
    assert float((with_it - without).abs().max()) > 1e-4
    assert "was trained without anti-aliased strides" in warnings_of()[0]


# ---------------------------------------------------------------- without training


class OnAGrid(torch.nn.Module):
    """Adds a pattern that stays on the grid of every other pixel, and doubles the resolution."""

    def forward(self, x):
        grid = 0.2 * (torch.arange(x.shape[-1]) % 2) * (torch.arange(x.shape[-2]) % 2)[:, None]
        return (0.5 * x + grid).repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_the_mean_over_shifts_is_the_mean_over_shifts():
    with mock.patch("mmtempreg.apis.model.load_weights"), mock.patch("mmtempreg.apis.model.read_checkpoint") as read:
        read.return_value = {}
        config = Config(dict(model=dict(SRCNN, generator=dict(type=OnAGrid))))
        one, many = (FrameModel(config, "none.pth", shifts=shifts) for shifts in (1, 16))
    x = torch.rand(2, 3, 17, 22)
    out = many(x)
    assert out.shape == (2, 3, 34, 44)
    picture = one(x) - one(torch.zeros_like(x))
    expected = sum(
        0.2 * ((torch.arange(17) + d) % 2)[:, None] * ((torch.arange(22) + r) % 2) for d, r in shift_positions(16)
    )
    pattern = (expected / 16).repeat_interleave(2, -1).repeat_interleave(2, -2).expand_as(out)
    torch.testing.assert_close(out, picture + pattern, atol=1e-5, rtol=0)
    assert float(pattern.std()) < 1e-6  # all phases are there alike
    for number in (1, 5, 16):
        positions = shift_positions(number)
        assert positions[0] == (0, 0)
        assert len(set(positions)) == number
        assert max(map(max, positions)) < 8
    with pytest.raises(ValueError, match="shifts must be from 1 to 16, and 1 with tiles: got shifts=2, tile=64"):
        FrameModel(config, "none.pth", tile=64, shifts=2)


def test_of_radiance_it_is_the_mean_of_logarithms():
    config = Config.fromfile("configs/tempreg/hdr_finetune.py")
    one, two = (FrameModel(config, "checkpoints/hdr_baseline.pth", shifts=shifts) for shifts in (1, 2))
    x = torch.rand(1, 3, 32, 32).clamp(max=0.9)  # nothing is saturated: every prediction is the input, linearised
    torch.testing.assert_close(two(x), one(x), rtol=1e-4, atol=1e-5)
    bright = (2 * torch.rand(1, 3, 32, 32)).clamp(0, 1)
    assert float((two(bright) - one(bright)).abs().max()) > 1e-3


class Divisible(torch.nn.Module):
    """Takes sizes that 32 divides alone."""

    def forward(self, x):
        if x.shape[-1] % 32 or x.shape[-2] % 32:
            raise RuntimeError("sizes of tensors must match")
        return x


def test_a_model_takes_frames_of_another_size_after_the_first():
    with mock.patch("mmtempreg.apis.model.load_weights"), mock.patch("mmtempreg.apis.model.read_checkpoint") as read:
        read.return_value = {}
        model = FrameModel(Config(dict(model=dict(SRCNN, generator=dict(type=Divisible)))), "none.pth")
    for size in ((32, 64), (36, 44), (64, 32)):
        x = torch.rand(1, 3, *size)
        torch.testing.assert_close(model(x), x, atol=1e-5, rtol=0)
