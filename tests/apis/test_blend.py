"""Networks between two networks."""

import sys
from pathlib import Path

import pytest
import torch

from mmtempreg.apis import blend_checkpoints
from mmtempreg.models import HDRCNN
from mmtempreg.openmmlab.checkpoints import anti_aliasing_of, read_checkpoint, read_weights
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
SMALL = dict(encoder_channels=((4,), (4,)), bottleneck_channels=(4,))


def saved(path, seed, **options):
    torch.manual_seed(seed)
    network = HDRCNN(**SMALL, **options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.num_batches_tracked.fill_(seed)
    torch.save(dict(state_dict=network.state_dict(), meta=dict(seed=seed)), path)
    return path


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_weights_and_buffers_lie_between(tmp_path, strength):
    paths = saved(tmp_path / "a.pth", 1), saved(tmp_path / "b.pth", 2, anti_aliased=True)
    out = tmp_path / "c.pth"
    blend_checkpoints(*paths, strength=strength, out=out)
    first, second, between = (read_weights(path) for path in (*paths, out))
    for name, value in between.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (1 - strength) * first[name] + strength * second[name])
        else:
            assert torch.equal(value, second[name])
    assert anti_aliasing_of(read_checkpoint(out)) == dict(taps=3)
    HDRCNN(**SMALL).load_state_dict(between)


def test_different_networks_are_refused_by_name(tmp_path):
    small = saved(tmp_path / "a.pth", 1)
    torch.save(HDRCNN(encoder_channels=((4,), (4,), (4,)), bottleneck_channels=(4,)).state_dict(), tmp_path / "b.pth")
    with pytest.raises(
        ValueError, match=r"networks: compared with \S+b\.pth, in \S+a\.pth \d+ of \d+ weights are missing"
    ):
        blend_checkpoints(small, tmp_path / "b.pth", strength=0.5, out=tmp_path / "c.pth")
    with pytest.raises(
        ValueError, match=r"networks: compared with \S+b\.pth, in \S+a\.pth \d+ of \d+ weights are missing"
    ):
        blend_checkpoints(tmp_path / "b.pth", small, strength=0.5, out=tmp_path / "c.pth")
    assert not (tmp_path / "c.pth").exists()


def test_the_command(tmp_path):
    paths = [str(saved(tmp_path / f"{name}.pth", seed)) for seed, name in enumerate("ab")]
    command = [sys.executable, "-W", "ignore", "tools/blend_checkpoints.py", *paths, str(tmp_path / "c.pth")]
    done = forked.run([*command, "--strength", "0.5"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "c.pth: 0.5 of the way from" in done.stdout
    again = forked.run([*command, "--strength", "0.5"], cwd=ROOT, capture_output=True, text=True)
    assert "c.pth is there already: choose another name, or overwrite it (--overwrite)" in again.stderr
