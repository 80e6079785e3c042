"""Published networks on real clips: the clips, the measures, the table."""

import json
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

from experiments.plot_sweep import frontier_figure
from experiments.real_models import SIZE, pan_frames, write_clip, write_pan_motion
from experiments.table import real_models_table
from mmtempreg.apis.steady.pictures import STEPS
from mmtempreg.functional import Motion
from mmtempreg.meters import WarpErrorMeter
from mmtempreg.video import Frame, VideoWriter, open_frames
from mmtempreg.video.flow_files import read_flow
from testing import forked

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "coffee.png"
    cv2.imwrite(str(path), cv2.cvtColor(data.coffee(), cv2.COLOR_RGB2BGR))
    return path


@pytest.mark.parametrize("step", STEPS)
def test_pans_move_as_their_flow_says(photograph, tmp_path, step):
    frames = list(pan_frames(photograph, step, 3))
    write_clip(tmp_path / "pan", frames)
    write_pan_motion(tmp_path / "pan", step, 3)
    truth = [torch.from_numpy(f.image).permute(2, 0, 1) for f in open_frames(tmp_path / "pan" / "truth", 24)]
    small = next(iter(open_frames(tmp_path / "pan" / "input", 24))).image
    assert small.shape == (SIZE[0] // 4, SIZE[1] // 4, 3)
    assert (truth[0].permute(1, 2, 0).numpy() == frames[0]).all()
    flow = torch.as_tensor(read_flow(tmp_path / "pan" / "flow" / "backward" / "000001.flo"))
    visible = (flow.abs() < 1e9).all(dim=0, keepdim=True).float()
    assert 0 < visible.mean() < 1
    meter = {name: WarpErrorMeter() for name in ("right", "wrong")}
    for number, frame in enumerate(truth):
        right = Motion(torch.where(visible > 0, flow, 0), visible)
        wrong = right._replace(flow=-right.flow)
        meter["right"].update(frame, motion=right if number else None)
        meter["wrong"].update(frame, motion=wrong if number else None)
    values = {name: WarpErrorMeter.value(one.finish()) for name, one in meter.items()}
    assert values["right"] < 2e-5 < 50 * values["right"] < values["wrong"]


@pytest.mark.slow
def test_the_command(photograph, tmp_path):
    config = Config.fromfile(ROOT / "configs/real_esrgan/realesrgan_x4plus_anime_steady.py")
    config.model.model.generator.update(mid_channels=4, num_blocks=1, growth_channels=2)
    config.dump(tmp_path / "config.py")
    for name in ("a", "b"):
        torch.save(dict(state_dict=MODELS.build(config.model.model).state_dict()), tmp_path / f"{name}.pth")
    with VideoWriter(tmp_path / "clip.mp4", Fraction(24)) as writer:
        for number, frame in enumerate(pan_frames(photograph, (1.5, 0.5), 4)):
            writer.write(Frame(np.ascontiguousarray(frame[:120, :164]), Fraction(number, 24)))
    command = [
        *(sys.executable, "-W", "ignore", "-m", "experiments.real_models", tmp_path / "config.py"),
        *(f"as it came={tmp_path}/a.pth", f"other={tmp_path}/b.pth", "--videos", tmp_path / "clip.mp4"),
        *("--photographs", photograph, "--num-frames", 26, "--work-dir", tmp_path / "work"),
        *("--out", tmp_path / "out.json", "--picture", tmp_path / "picture.png", "coffee"),
    ]
    for again in ([], ["--overwrite"]):  # the second time all is there already
        done = forked.run([*map(str, [*command, *again])], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    values = json.loads((tmp_path / "out.json").read_text())
    for kind, clip in (("videos", "clip"), ("pans", "coffee")):
        first, other = (values[kind][clip][name] for name in ("as it came", "other"))
        assert first["K kept"] == first["excess"] == 1
        assert 20 < first["EQ"] < 90
        assert ("F 1 s" in first) == (kind == "pans")  # the clip is too short
        truth = values[kind][clip]["truth"]["warp_error"]
        assert other["excess"] == (other["warp_error"] - truth) / (first["warp_error"] - truth)
        assert f"| other | {other['F']:.2f} |" in real_models_table(values, kind)
        assert real_models_table(values, kind) in done.stdout
    panels = frontier_figure(values).axes
    assert [panel.get_title() for panel in panels] == ["videos", "pans"]
    drawn = {line.get_label(): line.get_xydata() for line in panels[1].lines}
    np.testing.assert_allclose(drawn["other"], [[other["excess"], other["K kept"]]])
    frame = next(iter(open_frames(tmp_path / "work" / "clip" / "truth", 24))).image
    assert frame.shape == (120, 164, 3)
    assert cv2.imread(str(tmp_path / "picture.png")).shape[1] == 900
