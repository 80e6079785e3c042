"""An error in a pipeline names the file."""

import numpy as np
import pytest
from mmagic.registry import DATASETS, TRANSFORMS
from mmengine.dataset import Compose

from mmtempreg.datasets.item_files import name_files_of_errors, paths_of


class Failing:
    def __init__(self, error):
        self.error = error

    def __call__(self, data):
        raise self.error


def item(images):
    return dict(img_path=str(images / "input_x4" / "cat_0.png"), gt_path=str(images / "gt" / "cat_0.png"), scale=4)


def test_paths_are_what_keys_say():
    paths = dict(img_path="a.png", gt_path=["b.png", "c.png"], lq_path="a.png", scale=4, path_of=1, none_path=None)
    assert paths_of(paths) == ["a.png", "b.png", "c.png"]
    assert paths_of(None) == []


@pytest.mark.parametrize("error", [AttributeError("no 'ndim'"), ValueError("too small"), KeyError("gt")])
def test_files_are_named_with_the_reason(images, error):
    data = item(images)
    with pytest.raises(ValueError, match=r"input_x4/cat_0\.png, .*gt/cat_0\.png: ") as caught:
        Compose([Compose([Failing(error)])])(data)
    assert str(error) in str(caught.value)
    assert str(caught.value).count("cat_0.png") == 2
    assert caught.value.__cause__ is error


def test_errors_that_name_it_and_items_without_files_stay_as_they_are(images):
    data, error = item(images), KeyError(item(images)["gt_path"])
    with pytest.raises(KeyError) as caught:
        Compose([Failing(error)])(data)
    assert caught.value is error
    with pytest.raises(AttributeError):
        Compose([Failing(AttributeError("x"))])(dict(img=np.zeros(3)))


@pytest.mark.parametrize("length", [0, 40, 3000])
def test_the_damaged_one_of_a_pair_is_found(images, tmp_path, length):
    data = item(images)
    damaged = tmp_path / "cat_0.png"
    damaged.write_bytes((images / "gt" / "cat_0.png").read_bytes()[:length])
    pipeline = Compose([dict(type="LoadImageFromFile", key=key) for key in ("img", "gt")])
    assert pipeline(dict(data))["gt"].shape == (144, 144, 3)
    with pytest.raises(ValueError, match=f"{damaged} cannot be read as an image"):
        pipeline(dict(data, gt_path=str(damaged)))


def test_it_is_done_once():
    before = Compose.__call__
    name_files_of_errors()
    assert Compose.__call__ is before
    assert DATASETS.get("PhotographDataset")
    assert TRANSFORMS.get("LoadImageFromFile")
