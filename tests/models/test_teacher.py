"""`target='teacher'`: the network as it was stands in for the ground truth."""

import copy
from unittest import mock

import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.runner import Runner

from testing.processes import in_processes
from testing.stock_models import BY_KIND, FAMILIES, family_config, untrained_vgg
from tests.models.test_siamese import HDR, SRCNN, hdr_batch, photo_batch, siamese


def saved(model, path):
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


def trained(model, batches, optim_wrapper=None):
    """The losses of each step."""
    model.train()
    optimiser = (
        OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
        if optim_wrapper is None
        else build_optim_wrapper(model, copy.deepcopy(optim_wrapper))
    )
    losses = []
    for number, batch in enumerate(batches):
        MessageHub.get_current_instance().update_info("iter", number)
        torch.manual_seed(number)  # dropout
        losses.append({name: float(v) for name, v in model.train_step(copy.deepcopy(batch), optimiser).items()})
    return losses


def without_truth(batch):
    batch = copy.deepcopy(batch)
    for sample in batch["data_samples"]:
        sample.pop("gt_img")
    return batch


@pytest.mark.parametrize(("stock", "make"), [(SRCNN, photo_batch), (HDR, hdr_batch)], ids=["SRCNN", "HDR"])
def test_it_is_training_on_what_the_network_predicted(stock, make, tmp_path):
    """The same weights, to the bit, as a run whose ground truth was replaced by hand."""
    base = siamese(stock)
    path, batches = saved(base, tmp_path / "base.pth"), [make() for _ in range(3)]
    frozen = copy.deepcopy(base).eval()
    taught = siamese(stock, target="teacher", teacher=path)
    by_hand = siamese(stock)
    for model in (taught, by_hand):
        model.load_state_dict(base.state_dict())
    if stock is HDR:
        own = by_hand.regression_target
        by_hand.regression_target = lambda x, d: (frozen.forward_tensor(x).detach(), own(x, d)[1])
    else:
        forward_train = by_hand.forward_train

        def on_predictions(inputs, data_samples=None, **kwargs):
            data_samples.gt_img = frozen.forward_tensor(inputs).detach()
            return forward_train(inputs, data_samples, **kwargs)

        by_hand.forward_train = on_predictions
    assert trained(taught, batches) == trained(by_hand, batches)
    for a, b in zip(taught.state_dict().values(), by_hand.state_dict().values()):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("stock", "make"), [(SRCNN, photo_batch), (HDR, hdr_batch)], ids=["SRCNN", "HDR"])
def test_no_ground_truth_is_needed(stock, make, tmp_path):
    path = saved(siamese(stock), tmp_path / "base.pth")
    model = siamese(stock, target="teacher", teacher=path)
    (losses,) = trained(model, [without_truth(make())])
    assert all(torch.isfinite(torch.tensor(value)) for value in losses.values())


def test_the_truth_of_ab_networks_is_not_needed_either(tmp_path):
    stock = dict(
        type="ColorizationModel",
        generator=dict(type="ColorizationCNN", width=4),
        data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, output_channel_order="RGB"),
    )
    path = saved(siamese(stock), tmp_path / "base.pth")
    model = siamese(stock, target="teacher", teacher=path)
    batch = without_truth(photo_batch(size=32))
    assert trained(model, [batch])[0]["loss_reg"] >= 0


@pytest.mark.slow
@pytest.mark.parametrize("family", BY_KIND, ids=lambda family: family.name)
def test_every_family(family, images, tmp_path):
    """The first step's L_rec is what the teacher's own prediction gives; the truth in the batch does not matter."""
    config = family_config(family, images, tmp_path, 1, small=True)
    with untrained_vgg():
        base = MODELS.build(config.model)
        base.init_weights()
        path = saved(base, tmp_path / "base.pth")
        config.model.update(target="teacher", teacher=path)
        model = MODELS.build(config.model)
    model.load_state_dict(torch.load(path)["state_dict"])
    assert list(model.state_dict()) == list(base.state_dict())
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    other = copy.deepcopy(batch)
    if family.name == "pix2pix":
        other["inputs"]["img_photo"] = [255 - image for image in other["inputs"]["img_photo"]]
    elif family.name != "inst_colorization":  # whose truth is its input
        for sample in other["data_samples"]:
            sample.gt_img = 255 - sample.gt_img
    before = copy.deepcopy(model)
    first, second = trained(model, [batch], config.optim_wrapper), trained(before, [other], config.optim_wrapper)
    assert first == second
    if family.name == "edsr":  # one loss, no dropout and no batch normalisation
        assert first[0]["loss_rec"] == pytest.approx(0, abs=1e-7)
    if family.name == "real_esrgan":
        assert first[0]["loss_pix"] == pytest.approx(0, abs=1e-7)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), before.state_dict().values()))


def test_it_is_in_no_checkpoint_and_no_parameter(tmp_path):
    base = siamese()
    path = saved(base, tmp_path / "base.pth")
    model = siamese(target="teacher", teacher=path)
    assert list(model.state_dict()) == list(base.state_dict())
    assert len(list(model.parameters())) == len(list(base.parameters()))
    weights = torch.load(path)["state_dict"]
    trained(model, [photo_batch() for _ in range(2)])
    (teacher,) = model._teacher
    assert all(torch.equal(value, weights[name]) for name, value in teacher.state_dict().items())
    assert not torch.equal(model.generator.conv1.weight, weights["generator.conv1.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("drawn_once", [False, True], ids=["drawn anew", "drawn once"])
def test_a_resumed_run_has_the_same_teacher(images, tmp_path, drawn_once):
    (family,) = (family for family in FAMILIES if family.name == "srcnn")
    path = str(tmp_path / "base.pth")
    states = []
    for name, parts in (("alone", [4]), ("resumed", [2, 4])):
        for steps in parts:
            config = family_config(family, images, tmp_path / name, steps, small=True)
            if not (tmp_path / "base.pth").exists():
                saved(MODELS.build(config.model), path)
            config.model.update(target="teacher", teacher=path)
            if drawn_once:
                config.model.teacher_shift = 4
                dataset = dict(type="DrawnOnceDataset", num_items=4, dataset=config.train_dataloader.dataset)
                config.train_dataloader.dataset = dataset
            config.load_from, config.resume = path, steps == 4 and name == "resumed"
            config.default_hooks.checkpoint.interval = 2
            config.custom_hooks = [dict(type="ExactResumeHook")]
            # runs of one name within a second share a MessageHub, and may read another run's iteration
            config.experiment_name = f"{name}_{steps}_{drawn_once}"
            states.append(Runner.from_cfg(config).train().state_dict())
    alone, _, resumed = states
    torch.testing.assert_close(resumed, alone, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (dict(target="truth", teacher="a.pth"), ValueError, "go together"),
        (dict(target="teacher"), ValueError, "go together"),
        (dict(target="student", teacher="a.pth"), ValueError, "target must be one of 'truth', 'teacher'"),
    ],
)
def test_options_that_do_not_go_together(options, error, match):
    with pytest.raises(error, match=match):
        siamese(**options)


def test_a_generator_that_will_become_a_blur_is_warned_of(tmp_path):
    network = dict(type="MSRResNet", in_channels=3, out_channels=3, mid_channels=4, num_blocks=1, upscale_factor=2)
    stock = dict(type="SRGAN", generator=network, pixel_loss=dict(type="L1Loss"),
                 data_preprocessor=SRCNN["data_preprocessor"])  # fmt: skip
    with mock.patch("mmtempreg.models.siamese.families.gan.print_log") as log:
        path = saved(siamese(stock), tmp_path / "base.pth")
        assert "becomes a blur" in log.call_args.args[0]
        log.reset_mock()
        siamese(stock, target="teacher", teacher=path)
        siamese(dict(stock, gan_loss=dict(type="GANLoss", gan_type="vanilla", loss_weight=0.1)))
        assert not log.called


def test_a_teacher_of_another_network_is_named(tmp_path):
    path = saved(siamese(HDR), tmp_path / "hdr.pth")
    with pytest.raises(ValueError, match=r"hdr\.pth is no teacher for this BaseEditModel.*generator\.conv1\.weight"):
        trained(siamese(target="teacher", teacher=path), [photo_batch()])


def test_data_of_another_scale_is_named(tmp_path):
    model = siamese(target="teacher", teacher=saved(siamese(), tmp_path / "base.pth"))
    with pytest.raises(ValueError, match=r"makes 32x32 of 16x16, and the data's truth is 64x64.*scale=2"):
        trained(model, [photo_batch(scale=4)])


def test_a_teacher_is_needed_for_training_alone():
    """A config of a taught model serves for inference where the teacher's checkpoint is not."""
    model = siamese(target="teacher", teacher="no_such_file.pth")
    assert model.eval()(torch.rand(1, 3, 8, 8), mode="tensor").shape == (1, 3, 16, 16)
    with pytest.raises(FileNotFoundError, match="no_such_file"):
        trained(model, [photo_batch()])


@pytest.mark.slow
def test_two_ranks_learn_from_one_teacher(tmp_path):
    """Both have the same weights after a step, which are those of one process with both halves of the batch."""
    base = siamese(alpha=0)
    path, batch = saved(base, tmp_path / "base.pth"), photo_batch(4)
    moved = copy.deepcopy(base)  # away from the teacher, else nothing would be learnt
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.01)

    def student():
        model = siamese(alpha=0, target="teacher", teacher=path)
        model.load_state_dict(moved.state_dict())
        return model

    def stepped(model, part):
        optimiser = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
        model.train().train_step(part, optimiser)
        return {name.removeprefix("module."): value for name, value in model.state_dict().items()}

    def rank(number):
        part = {name: values[2 * number : 2 * number + 2] for name, values in copy.deepcopy(batch).items()}
        return stepped(MMDistributedDataParallel(student()), part)

    first, second = in_processes(rank, 2, tmp_path)
    alone = stepped(student(), copy.deepcopy(batch))
    for name, value in alone.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5)
    assert not torch.equal(alone["generator.conv1.weight"], moved.state_dict()["generator.conv1.weight"])


# ---------------------------------------------------------------- seen from all places of the grid


class OnAGrid(torch.nn.Module):
    """Predicts the input, and a pattern that stays on the grid of every fourth pixel: all of it is phase."""

    def __init__(self, scale=1):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.scale = scale

    def forward(self, x):
        grid = (torch.arange(x.shape[-1]) % 4 == 0).float() * (torch.arange(x.shape[-2]) % 4 == 0).float()[:, None]
        out = self.weight * x + grid
        if self.scale < 1:
            return torch.nn.functional.avg_pool2d(out, 2)
        return out.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)


def on_a_grid(scale=1):
    return dict(SRCNN, generator=dict(type=OnAGrid, scale=scale))


@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_the_mean_over_shifts_has_no_phase(scale, tmp_path):
    """Of the pattern its mean is left, alike everywhere, at the border too; of the picture all, where it was."""
    stock = on_a_grid(scale)
    path = saved(siamese(stock), tmp_path / "base.pth")
    model = siamese(stock, alpha=0, target="teacher", teacher=path, teacher_shift=8)
    x, total = torch.rand(1, 3, 20, 24), 0
    for iteration in range(800):
        MessageHub.get_current_instance().update_info("iter", iteration)
        total = total + model.teach(lambda teacher, x, _: teacher.generator(x), x)
    alone = OnAGrid(scale)
    picture = (alone(x) - alone(torch.zeros_like(x))).detach()
    pattern = total / 800 - picture
    assert pattern.shape == alone(x).shape
    assert float((pattern - 1 / 16).abs().max()) < 0.05
    assert float(alone(torch.zeros_like(x)).max()) >= 0.25


def test_shifts_are_a_function_of_seed_and_iteration(tmp_path):
    path = saved(siamese(on_a_grid()), tmp_path / "base.pth")
    x, seen = torch.rand(1, 3, 16, 16), {}
    for seed, iteration in ((0, 5), (0, 5), (0, 6), (1, 5)):
        model = siamese(on_a_grid(), target="teacher", teacher=path, teacher_shift=7, seed=seed)
        MessageHub.get_current_instance().update_info("iter", iteration)
        torch.rand(3)  # hidden state changes nothing
        taught = model.teach(lambda teacher, x, _: teacher.generator(x), x)
        assert torch.equal(seen.setdefault((seed, iteration), taught), taught)
    assert not any(torch.equal(seen[0, 5], seen[other]) for other in ((0, 6), (1, 5)))


class NeedsMultiples(OnAGrid):
    """Takes sizes that 16 divides alone, as U-Nets do."""

    def forward(self, x):
        if x.shape[-1] % 16 or x.shape[-2] % 16:
            raise RuntimeError("sizes of tensors must match")
        return super().forward(x)


class NeedsOneSize(OnAGrid):
    def forward(self, x):
        assert x.shape[-2:] == (16, 16)
        return super().forward(x)


class Cuts(OnAGrid):
    """As a convolution without padding does."""

    def forward(self, x):
        return super().forward(x)[..., 1:-1, 1:-1]


@pytest.mark.parametrize(
    ("kind", "shift", "says"),
    [
        (NeedsMultiples, 5, None),
        (NeedsOneSize, 5, "the network takes images of 16x16, and none that are larger"),
        (OnAGrid, 17, r"teacher_shift=17 is more than inputs of 16x16 have"),
        (OnAGrid, 1, r"teacher_shift=1 must be 2 at least for this network"),
        (Cuts, 4, r"predicts 14x14 of inputs of 16x16, which is no whole multiple or whole part"),
    ],
)
def test_networks_that_do_not_take_any_size(kind, shift, says, tmp_path):
    stock = dict(SRCNN, generator=dict(type=kind))
    model = siamese(stock, target="teacher", teacher=saved(siamese(stock), tmp_path / "base.pth"), teacher_shift=shift)
    x = torch.rand(1, 3, 16, 16)
    if says is None:
        assert model.teach(lambda teacher, x, _: teacher.generator(x), x).shape == x.shape
        return
    with pytest.raises(ValueError, match=says):
        model.teach(lambda teacher, x, _: teacher.generator(x), x)


# ---------------------------------------------------------------- asked once for each item


def drawn_once(batch, first):
    """The batch as `DrawnOnceDataset` gives it, its items numbered from `first`."""
    batch = copy.deepcopy(batch)
    for number, sample in enumerate(batch["data_samples"], start=first):
        sample.set_metainfo(dict(drawn_once=(0, number)))
    return batch


@pytest.mark.parametrize(("stock", "make"), [(SRCNN, photo_batch), (HDR, hdr_batch)], ids=["SRCNN", "HDR"])
def test_what_comes_again_is_asked_once(stock, make, tmp_path):
    """What it is trained towards is what the teacher says if it is asked in every step."""
    batches = [make(), make()]
    path, targets, asked = saved(siamese(stock), tmp_path / "base.pth"), [], []
    for epochs in ([*batches] * 3, [drawn_once(batch, 2 * n) for n, batch in enumerate(batches)] * 3):
        model = siamese(stock, target="teacher", teacher=path)
        with (
            mock.patch.object(model, "_ask", side_effect=model._ask) as ask,
            mock.patch.object(model, "loss_reg", side_effect=model.loss_reg) as loss_reg,
        ):
            trained(model, epochs)
        asked.append(ask.call_count)
        targets.append([call.args[0] for call in loss_reg.call_args_list])
    assert asked == [6, 4]
    for anew, once in zip(*targets):
        torch.testing.assert_close(once, anew)


def test_what_a_teacher_says_does_not_depend_on_the_rest_of_the_batch(tmp_path):
    """Not even in the last bit, which a network may well let depend on it: a run that is resumed has other batches."""
    path = saved(siamese(), tmp_path / "base.pth")
    x, asked = torch.rand(4, 3, 20, 24), []

    def ask(teacher, x, samples):
        asked.append((len(x), samples.metainfo["drawn_once"], samples.weight.tolist()))
        return teacher.generator(x) + x.mean() + samples.weight

    def taught(numbers):
        samples = DataSample(weight=torch.tensor(numbers, dtype=torch.float)[:, None, None, None])
        samples.set_metainfo(dict(drawn_once=[(0, n) for n in numbers]))
        model = siamese(target="teacher", teacher=path)
        return dict(zip(numbers, model.teach(ask, x[numbers], samples)))

    batches = [taught(numbers) for numbers in ([0, 1], [2, 1, 0], [3, 0])]
    assert all(torch.equal(batches[0][0], batch[0]) for batch in batches)
    assert asked[3] == (1, [(0, 1)], [[[[1.0]]]])


def test_each_item_is_seen_from_a_place_of_its_own(tmp_path):
    """Their mean has no phase, and in the next epoch, and in a run that is resumed amid one, each has what it had."""
    path = saved(siamese(on_a_grid()), tmp_path / "base.pth")
    x = torch.rand(4, 3, 20, 24)

    def epoch(model, numbers):
        taught = {}
        for first in numbers:
            samples = DataSample()
            samples.set_metainfo(dict(drawn_once=[(0, 4 * first + n) for n in range(4)]))
            taught[first] = model.teach(lambda teacher, x, _: teacher.generator(x), x, samples)
        return taught

    model, resumed = (siamese(on_a_grid(), alpha=0, target="teacher", teacher=path, teacher_shift=8) for _ in range(2))
    first, second, later = epoch(model, range(150)), epoch(model, range(150)), epoch(resumed, (7, 3))
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert all(torch.equal(first[n], later[n]) for n in later)
    patterns = torch.cat(list(first.values())) - x.repeat(150, 1, 1, 1)
    assert len({tuple(pattern.round().flatten().tolist()) for pattern in patterns[:64]}) > 8
    assert float((patterns.mean(0) - 1 / 16).abs().max()) < 0.05


def test_a_shift_needs_a_teacher():
    with pytest.raises(ValueError, match="teacher_shift=4 needs target='teacher'"):
        siamese(teacher_shift=4)


@pytest.mark.slow
@pytest.mark.parametrize("family", BY_KIND, ids=lambda f: f.name)
def test_every_family_learns_from_shifts(family, images, tmp_path):
    config = family_config(family, images, tmp_path, 1, small=True)
    with untrained_vgg():
        path = saved(MODELS.build(config.model), tmp_path / "base.pth")
        config.model.update(target="teacher", teacher=path, teacher_shift=4)
        runner = Runner.from_cfg(config)
        runner.train()
    assert runner.model._rooms
