"""Follows docs/use_your_own_config.md: a stock training, then its fine-tuning, then plain MMagic again."""

import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from testing import forked
from testing.stock_models import FAMILIES, family_config, real_images

ROOT = Path(__file__).resolve().parents[2]


def run(*command):
    result = forked.run([sys.executable, "-W", "ignore", *command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.mark.slow
def test_the_page_works_word_for_word(tmp_path):
    real_images(tmp_path / "images")
    # a user's own stock config, and a checkpoint of it
    stock = family_config(FAMILIES[0], tmp_path / "images", tmp_path / "stock", 3, small=True)
    stock.model = stock.model.model
    stock.default_hooks.checkpoint.type = "CheckpointHook"
    stock.custom_hooks = []
    stock.pop("custom_imports")
    stock.dump(str(tmp_path / "stock.py"))
    run("tools/train.py", str(tmp_path / "stock.py"))
    # step 2, with the path of the user's config and checkpoint
    page = (ROOT / "docs" / "use_your_own_config.md").read_text()
    block, *_ = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    block = textwrap.dedent(block)
    block, bases = re.subn(r'_base_ = "mmagic::[^"]*"', f'_base_ = "{tmp_path}/stock.py"', block)
    block, loads = re.subn(r"my_checkpoint\.pth", f"{tmp_path}/stock/iter_3.pth", block)
    block, photographs = re.subn(r'data_root="photos"', f'data_root="{tmp_path}/images/gt"', block)
    assert (bases, loads, photographs) == (1, 1, 1)
    (tmp_path / "my_config.py").write_text(block)
    # step 4, but shorter
    work_dir = tmp_path / "mine"
    log = run("tools/train.py", str(tmp_path / "my_config.py"), "--work-dir", str(work_dir), "--cfg-options",
              "log_level=INFO", "train_cfg.max_iters=60", "train_cfg.val_interval=60")  # fmt: skip
    assert "loss_rec" in log
    assert "loss_reg" in log
    # step 5
    before, after = (
        CheckpointLoader.load_checkpoint(str(path), map_location="cpu")["state_dict"]
        for path in (tmp_path / "stock" / "iter_3.pth", work_dir / "iter_60.pth")
    )
    model = MODELS.build(Config.fromfile(tmp_path / "stock.py").model)
    model.load_state_dict(after, strict=True)
    assert not torch.equal(before["generator.conv1.weight"], after["generator.conv1.weight"])
