"""Files of networks where a config is needed."""

import pytest

from mmtempreg.openmmlab.configs import read_config
from mmtempreg.openmmlab.plain_networks import is_file_of_network, networks_in

SOURCE = """
import torch
from torch import nn

raise SystemExit("it was run")

class Options:
    pass

class Sharpen(nn.Module):
    pass

class Sharper(Sharpen, Options):
    pass
"""


def test_names_of_files():
    assert is_file_of_network("a/b.py:Net")
    assert not is_file_of_network("configs/a.py")
    assert not is_file_of_network("mmagic::srcnn/srcnn_x4.py")


def test_networks_are_found_without_running_the_file(tmp_path):
    (tmp_path / "a.py").write_text(SOURCE)
    assert networks_in(tmp_path / "a.py") == ["Sharpen", "Sharper"]
    (tmp_path / "b.py").write_bytes(b"\0\xff")
    assert networks_in(tmp_path / "b.py") == networks_in(tmp_path / "none.py") == networks_in(tmp_path) == []


def test_a_network_in_place_of_a_config_is_named(tmp_path):
    file = tmp_path / "sharpen.py"
    file.write_text(SOURCE.replace('raise SystemExit("it was run")\n', ""))
    with pytest.raises(ValueError, match=f"a network in it is named {file}:Sharpen or {file}:Sharper for") as told:
        read_config(file)
    assert ": ;" not in str(told.value)
    with pytest.raises(ValueError, match=f"{file}:Sharpen names a network, .* is what tools/steady.py leaves"):
        read_config(f"{file}:Sharpen")
    file.write_text("a = 1")
    with pytest.raises(ValueError, match="has no model$"):
        read_config(file)
