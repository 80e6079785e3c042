"""Degradations by their names on a command line."""

import argparse

import pytest

from mmtempreg.utils.degradations import degradation


def test_names_numbers_and_steps():
    assert degradation("noise=25")["params"]["gaussian_sigma"] == [25.0, 25.0]
    step = degradation("RandomNoise(keys=['img'], params=dict(noise_type=['poisson'], noise_prob=[1]))")
    assert step == dict(type="RandomNoise", keys=["img"], params=dict(noise_type=["poisson"], noise_prob=[1]))
    for text in (
        "noise=much",
        "jpeg=400",
        "blur=nan",
        "fog=3",
        "RandomNoise(__import__('os'))",
        "RandomNoise(keys=open('a'))",
        "x",
    ):
        with pytest.raises(argparse.ArgumentTypeError):
            degradation(text)
