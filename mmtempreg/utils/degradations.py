"""Degradations by their names on a command line: configs of transforms of MMagic's pipelines."""

from __future__ import annotations

import argparse
import ast
import math
from typing import Any


def degradation(text: str) -> dict[str, Any]:
    """The `type` of --degrade: noise=SIGMA, blur=SIGMA, jpeg=QUALITY, or Step(key=value, ...)."""
    name, equals, value = text.partition("=")
    if equals and name in SHORT:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        low, high = (1, 100) if name == "jpeg" else (0, 255)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is no number from {low} to {high}")
        return SHORT[name](number)
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args):
            raise ValueError
        return dict(type=call.func.id, **{str(word.arg): _literal(word.value) for word in call.keywords})
    except (SyntaxError, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of {', '.join(f'{name}=NUMBER' for name in SHORT)}, and no Step(key=value, ...)"
        ) from None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {str(word.arg): _literal(word.value) for word in node.keywords}
    return ast.literal_eval(node)


def gaussian_noise(low: float, high: float) -> dict[str, Any]:
    """Noise of each channel, whose standard deviation is drawn from a range in levels of 255."""
    params = dict(noise_type=["gaussian"], noise_prob=[1], gaussian_sigma=[low, high], gaussian_gray_noise_prob=0)
    return dict(type="RandomNoise", keys=["img"], params=params)


SHORT = {
    "noise": lambda sigma: gaussian_noise(sigma, sigma),
    "blur": lambda sigma: dict(
        type="RandomBlur",
        keys=["img"],
        params=dict(
            kernel_size=[2 * math.ceil(3 * sigma) + 1], kernel_list=["iso"], kernel_prob=[1], sigma_x=[sigma] * 2
        ),
    ),
    "jpeg": lambda quality: dict(
        type="RandomJPEGCompression", keys=["img"], params=dict(quality=[int(quality)] * 2), color_type="color"
    ),
}
"""Degradations with a short name."""
