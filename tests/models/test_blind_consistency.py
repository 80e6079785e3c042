"""Blind video consistency: the network, its training on pairs of clips, and videos through it."""

import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from skimage import data
from torchvision.models import vgg16

from mmtempreg.apis import BlindConsistencyFilter, process_video
from mmtempreg.datasets import ClipPairDataset
from mmtempreg.functional import estimate_flow, pixel_grid, warp_by_flow
from mmtempreg.models.blind_consistency import BlindConsistencyNet
from mmtempreg.models.blind_consistency.published_weights import convert
from mmtempreg.video import Frame, VideoWriter, open_frames
from mmtempreg.video.flow_files import read_flow, write_flow
from mmtempreg.video.image_files import write_image
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "blind_consistency" / "blind_consistency.py"

SMALL = dict(type="BlindConsistencyNet", width=4, num_blocks=1)


def build(**kwargs):
    return MODELS.build(dict(type="BlindConsistencyModel", **{"generator": SMALL, **kwargs}))


def clip(num_frames=4, size=24, seed=0):
    """(1, T, 6, H, W) uint8, flow and flow to the first."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (1, num_frames, 6, size, size), generator=generator, dtype=torch.uint8)
    flows = torch.randn(2, 1, num_frames - 1, 2, size, size, generator=generator)
    return frames, flows[0], flows[1]


# ---------------------------------------------------------------- the network


def test_2979555_weights():
    assert sum(p.numel() for p in BlindConsistencyNet().parameters()) == 2_979_555
    widths = {name: p.numel() for name, p in BlindConsistencyNet().named_parameters()}
    assert widths["convlstm.Gates.weight"] + widths["convlstm.Gates.bias"] == 1_180_160
    assert sum(n for name, n in widths.items() if name.startswith("ResBlocks")) == 1_475_840


@pytest.mark.parametrize("norm", [False, True])
def test_the_output_stays_within_tanh_of_the_processed_frame(norm):
    net = BlindConsistencyNet(width=4, num_blocks=1, norm=norm)
    frames = torch.rand(4, 2, 3, 16, 24)
    output, (hidden, cell) = net(*frames, state=None)
    assert output.shape == (2, 3, 16, 24)
    assert hidden.shape == cell.shape == (2, 16, 4, 6)
    assert float((output - frames[0]).abs().max()) < 1
    again, _ = net(*frames, state=(hidden, cell))
    assert not torch.equal(again, output)  # it remembers


def test_only_the_processed_branch_is_skipped_to_the_output():
    net = BlindConsistencyNet(width=4, num_blocks=1)
    torch.nn.init.zeros_(net.convlstm.Gates.weight)
    torch.nn.init.zeros_(net.convlstm.Gates.bias)  # the state is 0: nothing gets through but by the skips
    p, o, i, j = torch.rand(4, 1, 3, 16, 16)
    output, _ = net(p, o, i, j, state=None)
    other, _ = net(p, o, torch.rand_like(i), j, state=None)
    assert torch.equal(output, other)
    assert not torch.equal(output, net(p, torch.rand_like(o), i, j, state=None)[0])


def test_the_authors_weights_load(tmp_path):
    names = BlindConsistencyNet().state_dict()
    theirs = {name: torch.randn_like(value) for name, value in names.items()}
    theirs["conv1a.norm_layer.running_mean"] = torch.zeros(32)  # built, and never run
    weights = convert(dict(epoch=100, model=theirs))
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.load_state_dict(weights, strict=True)
    torch.testing.assert_close(model.generator.conv3.conv2d.weight, theirs["conv3.conv2d.weight"])
    del theirs["conv3.conv2d.weight"]
    with pytest.raises(ValueError, match="conv3.conv2d.weight"):
        convert(dict(model=theirs))


# ---------------------------------------------------------------- losses


@pytest.mark.parametrize("mask_norm", ["sum", "norm"])
def test_the_losses_are_the_formulas(mask_norm):
    model = build(mask_norm=mask_norm)
    inputs, flow, to_first = clip()
    losses = model(inputs, flow, to_first, mode="loss")
    p, i = (inputs.float() / 255).split(3, dim=2)
    outputs, state = [p[:, 0]], None
    with torch.no_grad():
        for t in range(1, 4):
            output, state = model.generator(p[:, t], outputs[-1], i[:, t], i[:, t - 1], state=state)
            outputs.append(output)

    def disagreement(t, s, flow):
        x, y = ((pixel_grid((24, 24), (24, 24)) + flow[0].permute(1, 2, 0)).float()).numpy().transpose(2, 0, 1)

        def warped(image):
            image = image[0].permute(1, 2, 0).numpy()
            return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).transpose(2, 0, 1)

        difference = i[0, t].numpy() - warped(i[:, s])
        squares = difference.sum(0) ** 2 if mask_norm == "sum" else (difference**2).sum(0)
        return np.abs((outputs[t][0].numpy() - warped(outputs[s])) * np.exp(-50 * squares)).mean()

    short = 100 * sum(disagreement(t, t - 1, flow[:, t - 1]) for t in (1, 2, 3))
    long = 100 * sum(disagreement(t, 0, to_first[:, t - 1]) for t in (2, 3))
    content = 10 * sum(float((outputs[t] - p[:, t]).abs().mean()) for t in (1, 2, 3))
    assert float(losses["loss_short"]) == pytest.approx(short, rel=0.02)  # OpenCV's maps have 1/32 of a pixel
    assert float(losses["loss_long"]) == pytest.approx(long, rel=0.02)
    assert float(losses["loss_content"]) == pytest.approx(content, rel=1e-4)


def test_no_gradient_crosses_time_but_on_request():
    def gradient(**kwargs):
        torch.manual_seed(1)
        model = build(content_weight=0, **kwargs)
        seen = []
        model.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
        sum(model(*clip(), mode="loss").values()).backward()
        return any(inputs[1].requires_grad for inputs in seen), model.generator.conv1a.conv2d.weight.grad

    detached, ours = gradient()
    through, other = gradient(through_time=True)
    assert (detached, through) == (False, True)
    assert not torch.allclose(ours, other)


def test_the_perceptual_loss_of_a_local_vgg16(tmp_path):
    stock = vgg16(weights=None).eval()
    torch.save({k: v for k, v in stock.state_dict().items() if k.startswith("features")}, tmp_path / "vgg.pth")
    model = build(vgg16=str(tmp_path / "vgg.pth"))
    assert set(model.state_dict()) == set(build().state_dict())
    inputs, flow, to_first = clip(2, 32)
    losses = model(inputs, flow, to_first, mode="loss")
    processed = inputs[:, 1, :3].float() / 255
    with torch.no_grad():
        output = model(inputs, mode="tensor")[:, 1]
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    relu4_3 = [stock.features[:23]((image - mean) / std) for image in (output, processed)]
    expected = 10 * float((relu4_3[0] - relu4_3[1]).abs().mean())
    assert float(losses["loss_content"]) == pytest.approx(expected, rel=0.05)  # the tensor mode clips to [0, 1]
    assert "loss_long" not in losses


def test_what_cannot_be_trained():
    with pytest.raises(ValueError, match="mask_norm must be"):
        build(mask_norm="max")
    with pytest.raises(ValueError, match="training needs the flow"):
        build()(clip()[0], mode="loss")
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        build(vgg16="none.pth")


# ---------------------------------------------------------------- pairs of clips


def shifting(num_frames, size=64, step=2):
    """A photograph that moves to the left by `step` pixels a frame."""
    photo = data.astronaut()
    return [photo[100 : 100 + size, 100 + step * t : 100 + step * t + size] for t in range(num_frames)]


@pytest.fixture
def pairs(tmp_path):
    """Two pairs of clips; the processed one is darker in every other frame. With exact flow."""
    for name in ("a", "b"):
        for t, frame in enumerate(shifting(7)):
            write_image(tmp_path / "original" / name / f"{t:06d}.png", frame)
            write_image(
                tmp_path / "processed" / name / f"{t:06d}.png", (frame * (0.8 if t % 2 else 1)).astype(np.uint8)
            )
            (tmp_path / "flow" / name).mkdir(parents=True, exist_ok=True)
            if t:
                write_flow(
                    tmp_path / "flow" / name / f"{t:06d}.flo", torch.tensor([2.0, 0]).view(2, 1, 1).expand(2, 64, 64)
                )
    return tmp_path


@pytest.mark.parametrize("flow", ["dis", "files"])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_items_are_pieces_whose_flow_leads_back(pairs, flow, scale):
    dataset = ClipPairDataset(str(pairs), num_frames=4, crop_size=48, flow=flow, scale=(scale, scale), num_items=6)
    assert len(dataset) == 6
    for seed in range(6):
        np.random.seed(seed)
        item = dataset[seed]
        assert item["inputs"].shape == (4, 6, 48, 48)
        assert item["inputs"].dtype == torch.uint8
        original = item["inputs"][:, 3:].float() / 255
        for t in range(1, 4):
            inner = (..., slice(12, -12), slice(12, -12))
            for flows, before in ((item["flow"], t - 1), (item["flow_to_first"], 0)):
                back = warp_by_flow(original[before], flows[t - 1])
                assert float((back - original[t])[inner].abs().mean()) < (0.02 if flow == "files" else 0.06)
        lightness = item["inputs"][:, :3].float().mean(dim=(1, 2, 3))
        assert float(torch.diff(lightness).abs().min()) > 3  # it flickers


def test_flow_is_estimated_of_clips_that_have_none_in_files(pairs):
    exact = ClipPairDataset(str(pairs), num_frames=3, crop_size=48)
    estimated = ClipPairDataset(str(pairs), num_frames=3, crop_size=48, flow="dis")
    shutil.rmtree(pairs / "flow" / "b")
    mixed = ClipPairDataset(str(pairs), num_frames=3, crop_size=48)
    for index, other in ((0, exact), (1, estimated)):
        items = []
        for dataset in (mixed, other):
            np.random.seed(4)
            items.append(dataset[index])
        assert all(torch.equal(items[0][name], items[1][name]) for name in items[0])
    assert bool((exact[0]["flow"][:, 0].abs() == 2).all())
    assert not bool((mixed[1]["flow"][:, 0].abs() == 2).all())


def test_pieces_are_drawn_at_random_and_seeded(pairs):
    dataset = ClipPairDataset(str(pairs), num_frames=3, crop_size=32)

    def draw(seed):
        np.random.seed(seed)
        return dataset[0]["inputs"]

    assert torch.equal(draw(1), draw(1))
    assert len({draw(seed).sum().item() for seed in range(8)}) > 5


def test_pairs_that_do_not_fit(pairs, tmp_path):
    with pytest.raises(ValueError, match="flow must be"):
        ClipPairDataset(str(pairs), flow="raft")
    with pytest.raises(ValueError, match="crop_size must be a whole number >= 16"):
        ClipPairDataset(str(pairs), crop_size=8)
    with pytest.raises(ValueError, match="clip 'a' has 7 frames of 64x64: too few"):
        ClipPairDataset(str(pairs), num_frames=11, crop_size=32)
    (pairs / "flow" / "b" / "000003.flo").unlink()
    with pytest.raises(FileNotFoundError, match=r"clip 'b': there is no flow .*000003\.flo"):
        ClipPairDataset(str(pairs), num_frames=3, crop_size=32, flow="files")
    (pairs / "processed" / "a" / "000006.png").unlink()
    with pytest.raises(ValueError, match="clip 'a': original and processed frames differ"):
        ClipPairDataset(str(pairs), num_frames=3, crop_size=32)
    with pytest.raises(FileNotFoundError, match="must hold the folders"):
        ClipPairDataset(str(pairs / "original"))


def run(*command, ok=True):
    environment = dict(os.environ, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")
    done = forked.run([sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stderr[-3000:]
    return done.stdout + done.stderr


SRCNN = dict(
    type="BaseEditModel",
    generator=dict(type="SRCNNNet", channels=(3, 4, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1),
    pixel_loss=dict(type="L1Loss"),
    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
)


@pytest.mark.slow
def test_pairs_are_made_of_photographs_with_exact_flow(tmp_path):
    smooth = cv2.GaussianBlur(data.chelsea(), (0, 0), 6)  # interpolation does it little harm
    write_image(tmp_path / "photos" / "cat.png", smooth)
    with VideoWriter(tmp_path / "videos" / "moving.mp4", 24) as writer:
        for t, frame in enumerate(shifting(6)):
            writer.write(Frame(frame, Fraction(t, 24)))
    Config(dict(model=SRCNN)).dump(tmp_path / "srcnn.py")
    model = MODELS.build(dict(SRCNN))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "srcnn.pth")
    command = ("tools/dataset_converters/clip_pairs/make_clip_pairs.py", tmp_path / "srcnn.py", tmp_path / "srcnn.pth")
    command += (tmp_path / "out", "--photographs", tmp_path / "photos", "--videos", tmp_path / "videos", "--size", 64)
    run(*command, "--num-frames", 5)
    assert {path.name for path in (tmp_path / "out" / "processed").iterdir()} == {"cat", "moving"}
    frames = [f.image for f in open_frames(tmp_path / "out" / "original" / "cat", 24)]
    assert len(frames) == 5
    images = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255
    inner = (..., slice(8, -8), slice(8, -8))
    for t in range(1, 5):
        flow = read_flow(tmp_path / "out" / "flow" / "cat" / f"{t:06d}.flo")
        still, back = (images[t - 1], warp_by_flow(images[t - 1], flow))
        assert float((back - images[t])[inner].abs().mean()) < 0.3 * float((still - images[t])[inner].abs().mean())
        estimated = estimate_flow(images[t], images[t - 1])
        assert float((estimated - flow)[inner].abs().mean()) < 0.3
    assert len(ClipPairDataset(str(tmp_path / "out"), num_frames=5, crop_size=48)) == 2
    assert not list((tmp_path / "out").glob(".partial*"))


@pytest.mark.slow
def test_pairs_of_an_hdr_model_are_longer_exposed_and_gamma_encoded(tmp_path):
    write_image(tmp_path / "photos" / "coffee.png", data.coffee())
    checkpoint = ROOT / "checkpoints" / "hdr_baseline.pth"
    make = ("tools/dataset_converters/clip_pairs/make_clip_pairs.py", "configs/tempreg/hdr_finetune.py", checkpoint)
    make += (tmp_path / "out", "--photographs", tmp_path / "photos", "--size", 64, "--num-frames", 2)
    run(*make, "--name", "plain_")
    run(*make, "--name", "bright_", "--stops", 1.5)
    clips = {}
    for kind in ("original", "processed"):
        for name in ("plain_coffee", "bright_coffee"):
            clips[kind, name] = next(iter(open_frames(tmp_path / "out" / kind / name, 24))).image / 255
    original, bright = clips["original", "plain_coffee"], clips["original", "bright_coffee"]
    assert np.allclose(bright, np.minimum(original * 2 ** (1.5 / 2.2), 1), atol=2.5 / 255)
    processed = clips["processed", "bright_coffee"]
    kept = bright.max(axis=-1) < 0.9  # what does not saturate is the camera's curve undone
    assert kept.mean() > 0.3
    assert (bright.max(axis=-1) == 1).mean() > 0.005
    assert processed[kept].max() < 10 ** (-1 / 2.2) + 0.02  # radiance 1 is a tenth of white
    assert processed.max() <= 1


@pytest.mark.slow
def test_it_is_trained_from_the_config_and_learns(pairs, tmp_path):
    run(
        *("tools/train.py", CONFIG, "--work-dir", tmp_path / "run", "--cfg-options"),
        *("model.generator.width=8", "model.generator.num_blocks=1", f"train_dataloader.dataset.data_root={pairs}"),
        *("train_dataloader.dataset.num_frames=4", "train_dataloader.dataset.crop_size=32"),
        *("train_dataloader.dataset.scale=(1.0,1.0)", "train_dataloader.dataset.num_items=60"),
        *("train_dataloader.batch_size=2", "train_dataloader.num_workers=0", "train_cfg.max_epochs=1"),
        *("train_dataloader.persistent_workers=False", "default_hooks.logger.interval=5"),
        "optim_wrapper.optimizer.lr=2e-3",
    )
    log = next((tmp_path / "run").rglob("scalars.json")).read_text().splitlines()
    losses = [eval(line, {"NaN": float("nan")})["loss"] for line in log]
    assert all(np.isfinite(losses))
    assert np.mean(losses[-2:]) < 0.9 * losses[0]
    assert (tmp_path / "run" / "epoch_1.pth").exists()


# ---------------------------------------------------------------- videos


@pytest.fixture
def videos(tmp_path):
    """A clip of 45x35, as odd sizes go, and a flickering copy, as folders; config and checkpoint of a small network."""
    for t, frame in enumerate(shifting(9)):
        write_image(tmp_path / "original" / f"{t:03d}.png", frame[:35, :45])
        write_image(tmp_path / "processed" / f"{t:03d}.png", (frame[:35, :45] * (0.8 if t % 2 else 1)).astype(np.uint8))
    config = Config.fromfile(CONFIG)
    config.model.generator = dict(SMALL)
    config.dump(tmp_path / "config.py")
    torch.save(dict(state_dict=build().state_dict()), tmp_path / "net.pth")
    return tmp_path


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_video_is_the_recursion_over_its_frames(videos, batch_size):
    config = Config.fromfile(videos / "config.py")
    sources = [open_frames(videos / kind, 24) for kind in ("processed", "original")]
    model = BlindConsistencyFilter(config, str(videos / "net.pth"), sources[1])
    process_video(model, sources[0], videos / "out", batch_size=batch_size)
    frames = [np.concatenate([a.image, b.image], axis=-1) for a, b in zip(*sources)]
    inputs = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None]
    with torch.no_grad():
        expected = model.consistency.model(inputs, mode="tensor")[0]
    found = np.stack([frame.image for frame in open_frames(videos / "out", 24)])
    np.testing.assert_array_equal(found[0], frames[0][..., :3])  # the first frame is the processed one
    np.testing.assert_allclose(found, 255 * expected.permute(0, 2, 3, 1).numpy(), atol=2)  # clipped between frames


@pytest.mark.slow
def test_the_command_and_originals_that_are_not(videos):
    command = ("tools/process_video.py", videos / "config.py", videos / "net.pth", videos / "processed")
    run(*command, videos / "out.mp4", "--original", videos / "original", "--fps", 24)
    assert open_frames(videos / "out.mp4").count() == 9
    log = run(*command, videos / "none.mp4", "--fps", 24, ok=False)
    assert "error: --original VIDEO goes with a config of BlindConsistencyModel" in log
    (videos / "original" / "008.png").unlink()
    log = run(*command, videos / "none.mp4", "--original", videos / "original", "--fps", 24, ok=False)
    assert "ends before its frame 8: it is not the original" in log
    assert not (videos / "none.mp4").exists()  # what was done by then is in none.interrupted.mp4
