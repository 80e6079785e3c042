"""Registered names of before work, and say what they are called now."""

import mmengine.config.config
import pytest
from mmagic.registry import MODELS
from mmengine.config import Config
from yapf.yapflib.yapf_api import FormatCode

import mmtempreg.transforms
from mmtempreg.openmmlab.configs import config_hash
from mmtempreg.openmmlab.registries import RENAMED

ARGUMENTS = dict(
    ChoiceTransformPair=dict(transforms=[dict(type="AffineTransformPair")]),
    ComposeTransformPair=dict(transforms=[dict(type="RandomShift"), dict(type="NoiseTransformPair")]),
)


@pytest.mark.parametrize("old", RENAMED)
def test_configs_may_hold_them(old):
    today = getattr(mmtempreg.transforms, RENAMED[old])
    with pytest.warns(DeprecationWarning, match=f"{old} is now {RENAMED[old]}"):
        assert type(MODELS.build(dict(type=old, **ARGUMENTS.get(old, {})))) is today
    with pytest.warns(DeprecationWarning, match=f"{old} is now {RENAMED[old]}"):
        assert getattr(mmtempreg.transforms, old) is today


def test_names_that_never_were():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mmtempreg.transforms.nothing  # noqa: B018


def test_a_config_by_either_name_is_the_same(monkeypatch):
    monkeypatch.setattr(mmengine.config.config, "FormatCode", FormatCode)  # digits are those of texts that yapf formats

    def digits(*names):
        transforms = [dict(type=name) for name in names[1:]]
        model = dict(type="SiameseEditModel", transform=dict(type=names[0], transforms=transforms))
        return config_hash(Config(dict(model=model, custom_hooks=[])))

    # and what was trained by the old names is known by this
    old = digits("ComposeTransformPair", "AffineTransformPair", "NoiseTransformPair")
    assert (
        old == digits("Compose", "RandomAffine", "RandomGaussianNoise") == "2d95781a9d13"
    )  # as it was by the old names
    assert old != digits("Compose", "RandomAffine", "RandomElastic")
