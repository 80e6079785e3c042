import copy
import io

import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from mmtempreg.transforms import AffineTransformPair, ImageRange, draw_generator

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
    options = dict(
        transform=dict(type="AffineTransformPair"), regularization=dict(type="TransformInvarianceLoss"), alpha=0.5
    )
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
    drawn = AffineTransformPair().sample(x, draw_generator(7, 11), ImageRange())
    valid = drawn.valid(model.generator(x))
    f_tx, t_fx = model.generator(drawn.apply_input(x)), drawn.apply_output(model.generator(x))
    torch.testing.assert_close(log["loss_reg"], (((f_tx - t_fx) * valid) ** 2).mean().detach(), rtol=1e-5, atol=0)
    MessageHub.get_current_instance().update_info("iter", 0)


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
    noisy = siamese(model, transform=dict(type="NoiseTransformPair"), regularization=dict(type="StabilityLoss"))
    from mmtempreg.models.siamese import _image_range

    image_range = _image_range(noisy.data_preprocessor)
    assert image_range.low.flatten().tolist() == [-1] * 3
    assert image_range.high.flatten().tolist() == [1] * 3


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_outside_0_1(alpha):
    with pytest.raises(ValueError, match=r"alpha must lie in \[0, 1\]"):
        siamese(alpha=alpha)


def test_half_a_regularisation():
    with pytest.raises(ValueError, match="go together"):
        siamese(transform=None)
    with pytest.raises(ValueError, match="needs `model`"):
        MODELS.build(dict(type="SiameseEditModel"))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            dict(
                type="EDVR",
                generator=dict(type="EDVRNet", in_channels=3, out_channels=3, mid_channels=8, with_tsa=False),
                pixel_loss=dict(type="CharbonnierLoss"),
            ),
            "several frames",
        ),
        (dict(type="DataPreprocessor"), "not a BaseEditModel"),
        (
            dict(
                type="SRGAN",
                generator=dict(type="MSRResNet", in_channels=3, out_channels=3, mid_channels=8, num_blocks=1),
                pixel_loss=dict(type="L1Loss"),
            ),
            "training step is its own",
        ),
    ],
    ids=["EDVR", "no model", "SRGAN"],
)
def test_unsupported_models_are_refused_with_a_reason(model, reason):
    with pytest.raises((TypeError, RuntimeError), match=reason if model["type"] != "EDVR" else "several frames|mmcv"):
        siamese(model)
