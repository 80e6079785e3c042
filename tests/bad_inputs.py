"""Files of every kind that a tool may be given by mistake, and tools that are run on them, with what they say."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
import torch
from mmagic.registry import MODELS
from mmengine.config import Config

from mmtempreg.video import Frame, VideoWriter
from mmtempreg.video.image_files import write_image
from testing import forked

ROOT = Path(__file__).resolve().parents[1]

NET = """
default_scope = 'mmagic'
model = dict(
    type='BaseEditModel',
    generator=dict(type='MSRResNet', in_channels=3, out_channels=3, mid_channels=4, num_blocks=1, upscale_factor=4),
    pixel_loss=dict(type='L1Loss'),
    data_preprocessor=dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3))
"""

TRAIN = (
    NET.replace("model = dict(", "stock = dict(", 1)
    + """
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)
model = dict(
    type='SiameseEditModel', model=stock, transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')), alpha=0.8)
train_pipeline = [
    dict(type='LoadImageFromFile', key='img'), dict(type='LoadImageFromFile', key='gt'),
    dict(type='SetValues', dictionary=dict(scale=4)), dict(type='PairedRandomCrop', gt_patch_size=32),
    dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='BasicImageDataset', data_root='IMAGES', data_prefix=dict(img='input_x4', gt='gt'),
                 pipeline=train_pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3))
default_hooks = dict(logger=dict(type='LoggerHook', interval=1),
                     checkpoint=dict(type='SafeCheckpointHook', interval=1, by_epoch=True))
custom_hooks = [dict(type='StrictLoadHook'), dict(type='ExactResumeHook'), dict(type='FiniteLossHook')]
visualizer = dict(type='Visualizer', vis_backends=[])
load_from = 'NET.pth'
"""
)


class Evil:
    """What a malicious checkpoint holds."""

    def __reduce__(self):
        return os.system, ("touch ran_code",)


def make_files(folder: Path, images: Path) -> None:
    """All that the table of `test_bad_inputs` names; none of it may change."""
    photo = skimage.data.astronaut()
    _videos(folder, photo)
    _images(folder, photo)
    _checkpoints(folder)
    (folder / "train.py").write_text(TRAIN.replace("IMAGES", str(images)).replace("NET.pth", str(folder / "net.pth")))
    for name, text in {
        "broken.py": "model = dict(\n",
        "empty.py": "",
        "no_model.py": "a = 1\n",
        "plain.py": "from torch import nn\n\nclass Plain(nn.Module):\n    pass\n",
        "unknown.py": NET.replace("BaseEditModel", "NoSuchModel"),
        "raises.py": "raise KeyError('x')\n",
        "misspelt.py": NET + "custom_hook = [dict(type='StrictLoadHook')]\n",
        "list.json": "[1]",
        "no.json": "{",
        "page.html": "<p>mine</p>",
        "some.json": '{"a": 1.0}',
    }.items():
        (folder / name).write_text(text)
    for name in ("pipe.mp4", "pipe.png", "pipe.pth", "pipe.py", "pipe.json", "pipes/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        os.mkfifo(folder / name)
    shutil.copy(folder / "frames" / "0.png", folder / "pipes" / "0.png")
    for kind in ("input_x4", "gt"):
        shutil.copytree(images / kind, folder / "damaged" / kind)
    for path in (folder / "damaged" / "gt").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    # a folder and a link of the user's
    (folder / "mine").mkdir()
    (folder / "mine" / "letter.txt").write_text("mine")
    (folder / "link.mp4").symlink_to(folder / "clip.mp4")
    (folder / "video").mkdir()
    shutil.copy(folder / "other.mp4", folder / "video" / "video.mp4")


def _frames(photo: np.ndarray, count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    height, width = size
    return [np.ascontiguousarray(photo[100 : 100 + height, 100 + t : 100 + t + width]) for t in range(count)]


def _videos(folder: Path, photo: np.ndarray) -> None:
    for name, frames, rate in (
        ("clip", _frames(photo, 8), 24),
        ("other", _frames(photo, 8)[::-1], 24),
        ("short", _frames(photo, 5), 24),
        ("long", _frames(photo, 40), 24),
        ("one", _frames(photo, 1), 24),
        ("small", _frames(photo, 8, (32, 32)), 24),
        ("fast", _frames(photo, 8), 30),
        ("=1+1", _frames(photo, 8), 24),
    ):
        with VideoWriter(folder / f"{name}.mp4", rate) as writer:
            for number, frame in enumerate(frames):
                writer.write(Frame(frame, Fraction(number, rate)))
    _sound(folder / "sound.mp4")
    whole = (folder / "clip.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("no video\n" * 50)


def _sound(path: Path) -> None:
    """Two seconds of grey at 24 frames per second, with silence."""
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=24), container.add_stream("aac", rate=48000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(48):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 24)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for number in range(94):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, 1024 * number, Fraction(1, 48000)
            container.mux(audio.encode(sound))
        container.mux(audio.encode())


def _images(folder: Path, photo: np.ndarray) -> None:
    frames = _frames(photo, 4)
    for name, images in {
        "frames": frames,
        "two_sizes": [*frames[:2], frames[2][:20]],
        "gap": frames,
        "deep": [frame.astype(np.uint16) * 257 for frame in frames],
    }.items():
        for number, image in enumerate(images):
            write_image(folder / name / f"{number + 4 * (name == 'gap' and number > 1)}.png", image)
    for name, value in (("radiance", 0.5), ("nan", np.nan), ("negative", -9.0)):
        for number in range(3):
            image = np.ones((32, 32, 3), np.float32)
            image[3, 4, 1] = value if number == 1 else 1
            write_image(folder / name / f"{number}.exr", image)
    write_image(folder / "jpeg" / "0.jpg", frames[0])
    data = (folder / "jpeg" / "0.jpg").read_bytes()
    (folder / "jpeg" / "1.jpg").write_bytes(data[: len(data) // 2])
    (folder / "no_images").mkdir()
    (folder / "no_images" / "notes.txt").write_text("none")
    header = struct.pack(">II5B", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (folder / "huge").mkdir()
    (folder / "huge" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    (folder / "text_images").mkdir()
    (folder / "text_images" / "0.png").write_text("no image")
    cv2.imwrite(str(folder / "photo.png"), photo)


def _checkpoints(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    config = Config.fromfile(folder / "net.py")
    state = MODELS.build(config.model).state_dict()
    torch.save(dict(state_dict=state), folder / "net.pth")
    first = next(iter(state))
    torch.save(dict(state_dict={**state, first: torch.full_like(state[first], torch.nan)}), folder / "nan.pth")
    torch.save(dict(state_dict={"encoder.weight": torch.ones(3)}), folder / "other.pth")
    torch.save([1, 2], folder / "list.pth")
    torch.save(dict(meta={}), folder / "no_weights.pth")
    whole = (folder / "net.pth").read_bytes()
    (folder / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pth").write_bytes(b"")
    (folder / "text.pth").write_text("no checkpoint\n" * 20)
    (folder / "evil.pth").write_bytes(pickle.dumps(dict(state_dict=Evil())))
    (folder / "folder.pth").mkdir()
    np.savez(folder / "arrays.npz", np.ones(3), np.ones(4))


def listing(folder: Path) -> dict[str, str]:
    """Every file, folder and link below, with a hash of what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[name] = "folder"
        elif not path.is_file():
            found[name] = "pipe"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@dataclass
class Ended:
    """How a tool ended.

    Attributes:
        status: Of the process.
        last: Last line of what it wrote to stderr.
        text: All of it, stdout first.
    """

    status: int
    last: str
    text: str


def start_tool(
    tool: str, arguments: list[str], cwd: Path, log: Path, before: Callable[[], object] | None = None
) -> forked.Popen:
    """Runs a script of `tools/`, or a module; `before` is called in its process first."""
    program = [str(ROOT / "tools" / tool)] if tool.endswith(".py") else ["-m", tool]
    command = [sys.executable, *program, *arguments]
    with open(f"{log}.out", "w") as out, open(f"{log}.err", "w") as err:
        return forked.Popen(command, cwd=cwd, stdout=out, stderr=err, start_new_session=True, preexec_fn=before)


def ended(tool: forked.Popen, log: Path) -> Ended:
    """Waits for it."""
    status = tool.wait()
    out, err = (Path(f"{log}.{name}").read_text(errors="replace") for name in ("out", "err"))
    lines = err.replace("\r", "\n").strip().splitlines()
    return Ended(status, lines[-1] if lines else "", out + err)
