import copy
import io

import pytest
import torch
from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper

from mmtempreg.models.siamese.families import family_of
from mmtempreg.transforms import ImageRange, PathStep, RandomAffine, draw_generator

SRCNN = dict(
    type="BaseEditModel",
    generator=dict(type="SRCNNNet", channels=(3, 8, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=2),
    pixel_loss=dict(type="L1Loss", loss_weight=1.0, reduction="mean"),
    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
)
HDR = dict(
    type="HDRReconstructionModel",
    generator=dict(type="HDRCNN", encoder_channels=((8,), (8,)), bottleneck_channels=(8,)),
)


def siamese(model=SRCNN, **kwargs):
    options = dict(transform=dict(type="RandomAffine"), regularization=dict(type="TransformInvarianceLoss"), alpha=0.5)
    return MODELS.build(dict(type="SiameseEditModel", model=copy.deepcopy(model), **{**options, **kwargs}))


def sample(gt, order):
    packed = DataSample(gt_img=gt)
    packed.set_metainfo(dict(img_channel_order=order, gt_channel_order=order))
    return packed


def photo_batch(n=2, size=16, scale=2):
    inputs = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(n)]
    gts = [torch.randint(0, 256, (3, size * scale, size * scale), dtype=torch.uint8) for _ in range(n)]
    return dict(inputs=inputs, data_samples=[sample(gt, "BGR") for gt in gts])


def hdr_batch(n=2, size=16):
    inputs = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(n)]
    gts = [3 * torch.rand(3, size, size) for _ in range(n)]
    return dict(inputs=inputs, data_samples=[sample(gt, "RGB") for gt in gts])


def train(model, batches):
    optimiser = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    model.train()
    return [model.train_step(copy.deepcopy(batch), optimiser) for batch in batches]


CASES = [(SRCNN, photo_batch), (HDR, hdr_batch)]
ids = ["SRCNN", "HDR"]


@pytest.mark.parametrize(("config", "batch"), CASES, ids=ids)
@pytest.mark.parametrize("off", [dict(alpha=0), dict(transform=None, regularization=None)], ids=["alpha=0", "no loss"])
def test_without_regularisation_it_is_stock_training_to_the_bit(config, batch, off):
    batches = [batch() for _ in range(5)]
    torch.manual_seed(1)
    stock = MODELS.build(copy.deepcopy(config))
    torch.manual_seed(1)
    wrapped = siamese(config, **off)
    logs = [train(model, batches) for model in (stock, wrapped)]
    for a, b in zip(stock.state_dict().values(), wrapped.state_dict().values()):
        assert torch.equal(a, b)
    assert [log["loss"] for log in logs[0]] == [log["loss"] for log in logs[1]]


@pytest.mark.parametrize(("config", "batch"), CASES, ids=ids)
def test_the_loss_is_eq_1(config, batch):
    model = siamese(config, alpha=0.8)
    (log,) = train(model, [batch()])
    expected = 0.2 * log["loss_rec"] + 0.8 * log["loss_reg"]
    torch.testing.assert_close(log["loss"], expected)
    assert float(log["loss_reg"]) > 0


def test_regularisation_equals_the_formula_written_out():
    model, batch = siamese(alpha=0.8, seed=7), photo_batch()
    MessageHub.get_current_instance().update_info("iter", 11)
    (log,) = train(copy.deepcopy(model), [batch])
    data = model.data_preprocessor(batch, True)
    x = data["inputs"]
    drawn = RandomAffine().sample(x, draw_generator(7, 11), ImageRange())
    valid = drawn.valid(model.generator(x))
    f_tx, t_fx = model.generator(drawn.apply_input(x)), drawn.apply_output(model.generator(x))
    torch.testing.assert_close(log["loss_reg"], (((f_tx - t_fx) * valid) ** 2).mean().detach(), rtol=1e-5, atol=0)
    MessageHub.get_current_instance().update_info("iter", 0)


@pytest.mark.parametrize("single_pass", [False, True])
@pytest.mark.parametrize("motion", ["independent", "path"])
def test_several_transforms_equal_the_formula_written_out(motion, single_pass):
    options = dict(num_transforms=3, motion=motion, single_pass=single_pass, seed=4)
    model, batch = siamese(regularization=dict(type="StabilityLoss", valid_only=False), **options), photo_batch()
    (log,) = train(copy.deepcopy(model), [batch])
    x = model.data_preprocessor(batch, True)["inputs"]
    generator = draw_generator(4, 0)
    drawn = [RandomAffine().sample(x, generator) for _ in range(3)]
    if motion == "path":
        drawn = [PathStep([(drawn[0], k)], one) for k, one in enumerate(drawn, start=1)]
    f_x = model.generator(x)
    losses = [((model.generator(one.apply_input(x)) - f_x) ** 2).mean() for one in drawn]
    torch.testing.assert_close(log["loss_reg"], torch.stack(losses).mean().detach(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("options", [dict(num_transforms=0), dict(num_transforms=1.5), dict(motion="random")])
def test_bad_numbers_of_transforms(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        siamese(**options)


@pytest.mark.parametrize(("config", "batch"), CASES, ids=ids)
def test_outside_training_it_is_the_stock_model(config, batch):
    stock, wrapped = MODELS.build(copy.deepcopy(config)), siamese(config)
    wrapped.load_state_dict(stock.state_dict(), strict=True)
    stock.load_state_dict(wrapped.state_dict(), strict=True)
    assert list(stock.state_dict()) == list(wrapped.state_dict())
    data = batch()
    for model in (stock, wrapped):
        model.eval()
    with torch.no_grad():
        a, b = (m.test_step(copy.deepcopy(data))[0].output.pred_img for m in (stock, wrapped))
    assert torch.equal(a, b)
    assert isinstance(wrapped, type(stock))


def test_gradients_flow_through_both_passes():
    model = siamese(HDR, alpha=1.0, regularization=dict(type="SparseJacobianLoss"))
    before = [p.clone() for p in model.parameters()]
    train(model, [hdr_batch()])
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters())]
    assert sum(moved) > 0.9 * len(moved)


def test_a_draw_does_not_depend_on_hidden_state():
    losses = []
    for _ in range(2):
        torch.manual_seed(5)
        model, batch = siamese(), photo_batch()
        torch.rand(len(losses))
        losses.append(train(model, [batch])[0]["loss_reg"])
    assert losses[0] == losses[1]


def test_copies_and_state_dicts_survive():
    model = siamese()
    twin = copy.deepcopy(model)
    batch = photo_batch()
    assert train(model, [batch])[0]["loss"] == train(twin, [batch])[0]["loss"]
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    MODELS.build(copy.deepcopy(SRCNN)).load_state_dict(torch.load(buffer, weights_only=True), strict=True)


def test_normalised_input_keeps_image_units():
    model = copy.deepcopy(SRCNN)
    model["data_preprocessor"] = dict(type="DataPreprocessor", mean=[127.5] * 3, std=[127.5] * 3)
    noisy = siamese(model, transform=dict(type="RandomGaussianNoise"), regularization=dict(type="StabilityLoss"))
    image_range = noisy._image_range()
    assert image_range.low.flatten().tolist() == [-1] * 3
    assert image_range.high.flatten().tolist() == [1] * 3


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_outside_0_1(alpha):
    with pytest.raises(ValueError, match=r"alpha must be a number in \[0, 1\]"):
        siamese(alpha=alpha)


def test_half_a_regularisation():
    with pytest.raises(ValueError, match="go together"):
        siamese(transform=None)
    with pytest.raises(ValueError, match="needs `model`"):
        MODELS.build(dict(type="SiameseEditModel"))


class OtherStep(BaseEditModel):
    def train_step(self, data, optim_wrapper):
        return {}


REFUSED_KINDS = {
    "EDVR": "several frames", "BasicVSR": "several frames", "TDAN": "several frames", "CAIN": "several frames",
    "FLAVR": "several frames", "RealBasicVSR": "several frames", "LIIF": "coordinates", "TTSR": "reference image",
    "DIC": "face landmarks", "DIM": "trimap", "GCA": "trimap", "IndexNet": "trimap", "AOTInpaintor": "mask",
    "DeepFillv1Inpaintor": "mask", "StyleGAN2": "out of noise", "BigGAN": "out of noise", "CycleGAN": "unpaired",
    "StableDiffusion": "diffusion", "ControlStableDiffusion": "diffusion", "StableDiffusionXL": "diffusion",
    "DreamBooth": "diffusion", "TextualInversion": "diffusion", "AblatedDiffusionModel": "diffusion",
    "AnimateDiff": "diffusion", "GuidedDiffusion": "diffusion", "ViCo": "diffusion", "FastComposer": "diffusion",
}  # fmt: skip


@pytest.mark.parametrize(("name", "reason"), REFUSED_KINDS.items(), ids=REFUSED_KINDS)
def test_models_of_other_kinds_are_refused_with_a_reason(name, reason):
    kind = MODELS.get(name)
    with pytest.raises(TypeError, match=f"cannot wrap {kind.__name__}: .*{reason}"):
        family_of(kind)


def test_every_model_of_mmagic_is_supported_or_refused():
    """None falls through to the general reason but what is no model of its own."""
    general = set()
    for name, kind in MODELS.module_dict.items():
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or "SiameseEditModel" in name:
            continue
        try:
            family_of(kind)
        except TypeError as error:
            if "it is none of" in str(error):
                general.add(name)
    assert general == {"BaseTranslationModel"}


def test_a_model_with_its_own_training_step_is_refused():
    with pytest.raises(TypeError, match="training step is its own"):
        family_of(OtherStep)
    with pytest.raises(TypeError, match="none of SRGAN, .* BaseEditModel"):
        siamese(dict(type="DataPreprocessor"))


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_one_pass_or_two_give_the_same_loss_without_batch_norm(fraction):
    model, batch = siamese(regularize_fraction=fraction), photo_batch(3)
    twin = siamese(regularize_fraction=fraction, single_pass=True)
    twin.load_state_dict(model.state_dict())
    a, b = (train(m, [batch])[0] for m in (model, twin))
    for name in ("loss", "loss_rec", "loss_reg"):
        torch.testing.assert_close(a[name], b[name])
    for p, q in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(p, q)


def test_regularize_every_third_step_three_times_as_strongly():
    model, batch = siamese(alpha=0.8, regularize_every=3), photo_batch()
    logs = []
    MessageHub.get_current_instance().update_info("max_iters", 6)
    for step in range(6):
        MessageHub.get_current_instance().update_info("iter", step)
        logs += train(model, [batch])
    MessageHub.get_current_instance().update_info("iter", 0)
    assert ["loss_reg" in log for log in logs] == [True, False, False] * 2
    for log in logs:
        torch.testing.assert_close(log["loss"], 0.2 * log["loss_rec"] + 2.4 * log.get("loss_reg", 0))


@pytest.mark.parametrize(("prediction", "told"), [(lambda x: (x, x), "tuple"), (lambda x: x.mean((2, 3)), r"\(2, 3\)")])
def test_a_prediction_that_is_no_map_is_told_what_to_do(prediction, told):
    model = siamese()
    model.generator.forward = prediction
    with pytest.raises(TypeError, match=f"predicts {told}: its family makes a map of that"):
        train(model, [photo_batch()])


def test_a_run_that_would_regularise_once_is_refused():
    hub = MessageHub.get_current_instance()
    hub.update_info("max_iters", 20)
    try:
        with pytest.raises(ValueError, match=r"regularize_every=100 is more than the 20 iterations"):
            train(siamese(regularize_every=100), [photo_batch()])
    finally:
        hub.update_info("max_iters", 10**6)


class Learned(torch.nn.Module):
    """A regularisation with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.ones(()))


def test_what_would_be_ignored_is_refused():
    MODELS.register_module(module=Learned, force=True)
    with pytest.raises(ValueError, match=r"Learned has weights of its own \(temperature\)"):
        siamese(regularization=dict(type="Learned"))
    with pytest.raises(ValueError, match="comes with the batch, one for each image; num_transforms=2"):
        siamese(transform=dict(type="GivenShift"), num_transforms=2)
    with pytest.raises(ValueError, match="motion='path'"):
        siamese(transform=dict(type="GivenShift"), motion="path")


def test_a_transform_that_leaves_nothing_is_refused():
    """The loss would be 0."""
    with pytest.raises(ValueError, match="leaves nothing of crops of .* that counts"):
        train(siamese(transform=dict(type="RandomAffine", translate=500.0)), [photo_batch()] * 3)


def test_regularize_a_fraction_of_the_batch():
    """Equals the loss of the first images alone."""
    model, batch = siamese(regularize_fraction=0.5), photo_batch(3)
    log = train(copy.deepcopy(model), [batch])[0]
    first = {name: values[:2] for name, values in batch.items()}
    alone = siamese()
    alone.load_state_dict(model.state_dict())
    torch.testing.assert_close(log["loss_reg"], train(alone, [first])[0]["loss_reg"])


@pytest.mark.parametrize(
    "options", [dict(regularize_every=0), dict(regularize_every=1.5), dict(regularize_fraction=0.0),
                dict(regularize_fraction=1.1)], ids=str
)  # fmt: skip
def test_schedules_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        siamese(**options)


def test_whole_pixels_are_not_gone_half_way():
    shift = dict(type="RandomShift", max_shift=4)
    for transform in (shift, dict(type="Compose", transforms=[shift, dict(type="RandomGaussianNoise")])):
        with pytest.raises(ValueError, match="motion='path' goes a part of T's way, and RandomShift moves by whole"):
            siamese(transform=transform, motion="path", num_transforms=2)
