import builtins
import os
import pickle
import subprocess
import sys
from unittest import mock

import mmengine
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from yapf.yapflib import yapf_api

from mmtempreg.openmmlab import compat

WEIGHTS_ONLY_BY_DEFAULT = tuple(int(v) for v in torch.__version__.split(".")[:2]) >= (2, 6)


def python(code):
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_bool8_is_given_back_only_where_it_is_missing(monkeypatch):
    assert np.bool8 is np.bool_
    marker = object()
    monkeypatch.setitem(np.__dict__, "bool8", marker)
    compat.alias_numpy_bool8()
    assert np.__dict__["bool8"] is marker


def test_the_text_of_a_config_is_formatted_once(monkeypatch):
    module, content = mmengine.config.config, dict(model=dict(type="A", channels=list(range(40))))
    monkeypatch.setattr(module, "FormatCode", yapf_api.FormatCode)
    expected = mmengine.Config(content).pretty_text
    compat.format_configs_once()
    compat.format_configs_once()
    with mock.patch.object(yapf_api, "FormatTree", wraps=yapf_api.FormatTree) as work:
        assert [mmengine.Config(content).pretty_text for _ in range(3)] == [expected] * 3
        assert work.call_count == 1
        assert mmengine.Config(dict(content, other=1)).pretty_text != expected


def test_a_placeholder_operator_says_what_to_do():
    import mmcv.ops

    has_operators = not isinstance(sys.modules["mmcv._ext"], compat._MissingOps)
    if has_operators:
        assert mmcv.ops.nms.__module__.startswith("mmcv")
        return
    with pytest.raises(RuntimeError, match=r"_ext\.\w+ is a compiled operator that mmcv-lite does not have"):
        mmcv.ops.nms(torch.rand(3, 4), torch.rand(3), 0.5)


@pytest.mark.slow
def test_a_full_mmcv_is_left_alone(tmp_path):
    (tmp_path / "_ext.py").write_text("REAL = True")
    code = f"import mmtempreg, mmcv; mmcv.__path__.append({str(tmp_path)!r}); import mmcv._ext; print(mmcv._ext.REAL)"
    assert python(code) == "True"


@pytest.mark.slow
def test_importing_the_package_does_not_import_mmagics_models():
    code = "import sys, mmtempreg.functional; print('mmagic.models' in sys.modules, 'diffusers' in sys.modules)"
    assert python(code) == "False False"


@pytest.mark.slow
def test_registries_find_our_names_without_a_prefix():
    code = (
        "import mmtempreg; from mmagic.registry import MODELS, METRICS, DATASETS, HOOKS;"
        "print(all((MODELS.get('SiameseEditModel'), METRICS.get('TemporalResidual'),"
        "DATASETS.get('HDRPanDataset'), HOOKS.get('StrictLoadHook'), MODELS.get('BaseEditModel'))))"
    )
    assert python(code) == "True"
    # the other way round: the registries are full already when we come
    assert python("import mmtempreg.openmmlab.compat as c; import mmagic.models; " + code) == "True"


@pytest.mark.skipif(not WEIGHTS_ONLY_BY_DEFAULT, reason="the allow-list is of torch >= 2.6")
def test_what_mmengine_saves_loads_with_weights_only(tmp_path):
    history = HistoryBuffer()
    for value in range(5):
        history.update(float(value))
    content = dict(
        state_dict=dict(w=torch.rand(3)),
        message_hub=dict(log_scalars={"train/loss": history}, best=np.float64(0.5), n=np.int64(3)),
        array=np.arange(4.0),
    )
    torch.save(content, tmp_path / "c.pth")
    loaded = torch.load(tmp_path / "c.pth", weights_only=True)
    buffer = loaded["message_hub"]["log_scalars"]["train/loss"]
    assert buffer.mean() == history.mean() == 2
    assert buffer.current() == 4
    assert loaded["message_hub"]["best"] == 0.5
    np.testing.assert_array_equal(loaded["array"], content["array"])


class RunsCode:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.skipif(not WEIGHTS_ONLY_BY_DEFAULT, reason="the allow-list is of torch >= 2.6")
@pytest.mark.parametrize(
    "attack",
    [
        RunsCode(os.system, "touch pwned"),
        RunsCode(builtins.eval, "1+1"),
        RunsCode(getattr, torch.Tensor, "__reduce_ex__"),
        RunsCode(getattr, HistoryBuffer, "register_statistics"),
        RunsCode(getattr, HistoryBuffer, "__init__"),
        RunsCode(getattr, HistoryBuffer, "_statistics_methods"),
    ],
    ids=["os.system", "eval", "getattr of a tensor", "register_statistics", "__init__", "methods"],
)
def test_a_malicious_checkpoint_is_refused(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict=attack), "evil.pth")
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        torch.load("evil.pth", weights_only=True)
    assert not (tmp_path / "pwned").exists()


def test_repairs_may_be_applied_again():
    finders = len(sys.meta_path)
    compat.apply()
    assert len(sys.meta_path) == finders
