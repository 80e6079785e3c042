"""Items that are drawn once and come again."""

import pickle

import numpy as np
import pytest
import torch
from mmagic.structures import DataSample
from torch.utils.data import Dataset

from mmtempreg.datasets import DrawnOnceDataset


class Noise(Dataset):
    """Draws from NumPy's and torch's global generators, and notes what it is asked for."""

    def __init__(self, length, packed=True):
        self.length, self.packed, self.asked = length, packed, []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.asked.append(index)
        inputs = torch.rand(3, 4, 4) + np.random.rand()
        return dict(inputs=inputs, data_samples=DataSample(gt_img=inputs.clone())) if self.packed else dict(gt=inputs)


def test_each_item_is_drawn_once_and_is_the_same_in_each_epoch():
    data = DrawnOnceDataset(Noise(3), num_items=6, seed=1)
    first, second = ([data[i]["inputs"] for i in order] for order in (range(6), (5, 1, 0, 3, 2, 4)))
    assert sorted(data.dataset.asked) == [0, 0, 1, 1, 2, 2]
    for number, value in zip((5, 1, 0, 3, 2, 4), second):
        assert torch.equal(first[number], value)
    assert len({float(value.sum()) for value in first}) == 6
    again = DrawnOnceDataset(Noise(3), num_items=6, seed=1)  # that of a worker, or of a run that is resumed
    torch.manual_seed(5)
    assert torch.equal(again[4]["inputs"], first[4])
    assert not torch.equal(DrawnOnceDataset(Noise(3), num_items=6, seed=2)[4]["inputs"], first[4])
    assert torch.equal(pickle.loads(pickle.dumps(data))[2]["inputs"], first[2])


def test_fewer_items_than_there_are_photographs_are_spread_evenly():
    data = DrawnOnceDataset(Noise(9), num_items=3)
    assert [data[i]["inputs"].shape for i in range(len(data))] == [(3, 4, 4)] * 3
    assert data.dataset.asked == [0, 3, 6]


def test_what_else_is_drawn_does_not_depend_on_it():
    data = DrawnOnceDataset(Noise(3), num_items=6)
    np.random.seed(3), torch.manual_seed(3)
    expected = np.random.rand(), float(torch.rand(()))
    for _ in range(2):  # made, and kept
        np.random.seed(3), torch.manual_seed(3)
        data[1]
        assert (np.random.rand(), float(torch.rand(()))) == expected


def test_items_say_which_they_are_and_a_training_cannot_spoil_them():
    one, other = DrawnOnceDataset(Noise(3), num_items=6), DrawnOnceDataset(Noise(3), num_items=6)
    names = {dataset[i]["data_samples"].metainfo["drawn_once"] for dataset in (one, other) for i in range(6)}
    assert len(names) == 12
    taken = one[0]
    taken["inputs"].zero_(), taken["data_samples"].gt_img.zero_()
    assert one[0]["inputs"].min() > 0
    assert one[0]["data_samples"].gt_img.min() > 0


def test_what_cannot_be():
    with pytest.raises(TypeError, match="let the pipeline end with PackInputs"):
        DrawnOnceDataset(Noise(3, packed=False), num_items=2)[0]
    with pytest.raises(ValueError, match="num_items"):
        DrawnOnceDataset(Noise(3), num_items=0)
    with pytest.raises(IndexError, match="2 items, and no 2"):
        DrawnOnceDataset(Noise(3), num_items=2)[2]
