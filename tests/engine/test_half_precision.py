"""bfloat16 where the processor has it, and float32 where it would imitate it."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

from mmtempreg.apis import FrameModel
from mmtempreg.engine import BFloat16OptimWrapper
from mmtempreg.utils import half_precision
from mmtempreg.utils.half_precision import slow_bfloat16
from tests.apis.test_process_video import edit_config, frame_model
from tests.models.test_siamese import SRCNN, photo_batch, siamese

SRCNN_3 = dict(type="SRCNNNet", channels=(3, 8, 4, 3), kernel_sizes=(3, 1, 3), upscale_factor=1)


def step(native, **options):
    """The loss of a step on a processor with or without bfloat16, and what was said."""
    torch.manual_seed(0)
    model, data = siamese(SRCNN), photo_batch()
    with (
        mock.patch.object(half_precision, "native_bfloat16", return_value=native),
        mock.patch("mmtempreg.engine.bfloat16_optim_wrapper.print_log") as log,
    ):
        wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0), **options)
        losses = [model.train_step(copy.deepcopy(data), wrapper)["loss"] for _ in range(2)]
    return losses[0], [call.args[0] for call in log.call_args_list]


def test_training_falls_back_says_so_once_and_can_be_told_otherwise():
    half, nothing = step(native=True)
    full, said = step(native=False)
    forced, nothing_either = step(native=False, even_if_slow=True)
    assert nothing == nothing_either == []
    assert len(said) == 1
    assert "Trains in float32: this processor has no bfloat16 of its own" in said[0]
    assert torch.equal(half, forced)
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.05, atol=1e-3)


def test_frames_fall_back(tmp_path):
    full = frame_model(edit_config(SRCNN_3), tmp_path)
    x = torch.rand(1, 3, 24, 24)
    for native in (True, False):
        with (
            mock.patch.object(half_precision, "native_bfloat16", return_value=native),
            mock.patch("mmtempreg.apis.frame_model.print_log") as log,
        ):
            half = FrameModel(edit_config(SRCNN_3), str(tmp_path / "model.pth"), half=True)
        assert half.half == native
        assert torch.equal(half(x), full(x)) != native
        assert log.called != native


@pytest.mark.slow
def test_the_processor_is_asked():
    """oneDNN told to do without AVX-512 is a processor without; what Linux says of this one is true of it."""
    code = "from mmtempreg.utils.half_precision import slow_bfloat16; print(slow_bfloat16('cpu'))"
    without = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX2"), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "no bfloat16 of its own" in without.stdout
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
        assert (slow_bfloat16("cpu") is None) == ("avx512_bf16" in flags)
    assert slow_bfloat16("mps") is None
