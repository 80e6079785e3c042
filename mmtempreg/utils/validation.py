"""Arguments of constructors, checked against their annotations: whatever a config holds is named if it is nonsense.

    @check_arguments
    def __init__(self, alpha: Annotated[float, Interval(ge=0, le=1)] = 0.8, seed: int = 0) -> None: ...

A float must be a finite number, an int a whole one, a bool no text that says so; of tuples and sequences each element
counts. Bounds are those of `annotated_types` (`Ge`, `Gt`, `Le`, `Lt`, `Interval`). What an annotation says beyond that
(`Any`, classes of other packages) is not checked.
"""

from __future__ import annotations

import inspect
import math
import os
import re
import reprlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import cache, wraps
from numbers import Integral, Real
from typing import Annotated, Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Lt

P = ParamSpec("P")
R = TypeVar("R")


class OneOf:
    """Condition of a text: one of these.

    Args:
        choices: All of them.
    """

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)

    def __contains__(self, value: str) -> bool:
        return value in self.choices

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.choices))}"


class Rising:
    """Condition of a range (smallest, largest): its first number is not above its second."""

    def __contains__(self, value: Sequence[float]) -> bool:
        return list(value) == sorted(value)

    def __str__(self) -> str:
        return "and not falling"


Whole = Annotated[int, Interval(ge=1, le=10**9)]
"""A count of at least one, and not of what would never end."""
Repeats = Annotated[int, Interval(ge=1, le=1000)]
"""A number of times that something is done to one image."""
Count = Annotated[int, Ge(0)]
"""A count, or a seed."""
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
SomeShare = Annotated[float, Interval(gt=0, le=1)]
"""A share that is not nothing."""
Pixels = Annotated[float, Interval(ge=0, le=10000)]
"""A length in pixels that something moves."""
Edge = Annotated[int, Ge(1)]
"""Length of a picture's edge in pixels."""
Size = Edge | tuple[Edge, Edge]
"""Size of pictures in pixels: both edges, or (height, width)."""
Stops = Annotated[float, Interval(ge=-50, le=50)]
"""Exposure in powers of two."""
FrameRate = Annotated[float, Interval(ge=0.1, le=1000)]
"""Frames per second."""


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Checks what a function or constructor is called with before it runs.

    Raises (when called):
        ValueError: If a value does not fit its annotation; the message names the argument, what it may be and what it
            is, and its class.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, hints = _contract(function)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{_owner(function, args)}{_with_suggestion(str(error), signature)}") from None
        for name, value in bound.arguments.items():
            if name in hints and signature.parameters[name].kind not in _COLLECTING:
                check_value(name, value, hints[name], where=_owner(function, args))
        return function(*args, **kwargs)

    return checked


_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_value(name: str, value: Any, hint: Any, *, where: str = "") -> None:
    """Checks one value against an annotation.

    Raises:
        ValueError: If it does not fit.
    """
    if not _fits(value, hint):
        raise ValueError(f"{where}{name} must be {_described(hint)}, got {reprlib.repr(value)}")


def check_fields(instance: Any) -> None:
    """Checks a dataclass against the annotations of its fields: call it in `__post_init__`.

    Raises:
        ValueError: As `check_arguments`.
    """
    for name, hint in get_type_hints(type(instance), include_extras=True).items():
        check_value(name, getattr(instance, name), hint, where=f"{type(instance).__name__}: ")


@cache
def _contract(function: Callable) -> tuple[inspect.Signature, dict[str, Any]]:
    return inspect.signature(function), get_type_hints(function, include_extras=True)


def _owner(function: Callable, args: Sequence[Any]) -> str:
    """Beginning of a message: the class whose constructor it is."""
    return f"{type(args[0]).__name__}: " if function.__name__ == "__init__" and args else ""


def _with_suggestion(message: str, signature: inspect.Signature) -> str:
    from difflib import get_close_matches

    unknown = re.search(r"unexpected keyword argument '(\w+)'", message)
    close = get_close_matches(unknown[1], list(signature.parameters), 1) if unknown else []
    return f"{message}; did you mean {close[0]!r}?" if close else message


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, parts[0]) and all(_satisfies(value, condition) for condition in _ungrouped(parts[1:]))
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if hint is type(None) or hint is None:
        return value is None
    if hint in (bool, int, float, str):
        return _SIMPLE[hint](value)
    kind = origin or hint
    if kind is tuple:
        if not _is_list(value):
            return False
        if len(parts) == 2 and parts[1] is Ellipsis:
            return all(_fits(item, parts[0]) for item in value)
        return not parts or (len(value) == len(parts) and all(map(_fits, value, parts)))
    if kind in (Sequence, list):
        return _is_list(value) and all(_fits(item, parts[0]) for item in value if parts)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping)
    return True


def _ungrouped(metadata: Iterable[Any]) -> list[Any]:
    """Conditions one by one: an `Interval` is the two bounds that it stands for."""
    return [one for given in metadata for one in (given if isinstance(given, GroupedMetadata) else [given])]


def _satisfies(value: Any, condition: Any) -> bool:
    match condition:
        case Ge(bound):
            return value >= bound
        case Gt(bound):
            return value > bound
        case Le(bound):
            return value <= bound
        case Lt(bound):
            return value < bound
        case OneOf() | Rising():
            return value in condition
    return True


_SIMPLE: dict[Any, Callable[[Any], bool]] = {
    bool: lambda v: isinstance(v, bool | np.bool_),
    int: lambda v: isinstance(v, Integral) and not isinstance(v, bool) and _is_finite(v),
    float: lambda v: isinstance(v, Real) and not isinstance(v, bool | np.bool_) and _is_finite(v),
    str: lambda v: isinstance(v, str | os.PathLike),
}


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


_WORDS = {bool: "True or False", int: "a whole number", float: "a finite number", str: "a text", type(None): "None"}


def _described(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        given = _ungrouped(parts[1:])
        conditions = [*_bounds(given), *(str(one) for one in given if isinstance(one, OneOf | Rising))]
        if parts[0] is str and conditions:
            return conditions[0]
        return " ".join(["a number" if parts[0] is float and conditions else _described(parts[0]), *conditions])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_described, parts))
    if hint in _WORDS:
        return _WORDS[hint]
    kind = origin or hint
    if kind is tuple and parts and parts[-1] is not Ellipsis:
        same = len(set(map(str, parts))) == 1
        return f"{len(parts)} values, each {_described(parts[0])}" if same else f"{len(parts)} values"
    if kind in (tuple, Sequence, list):
        return f"a list, each {_described(parts[0])}" if parts and _described(parts[0]) else "a list"
    if kind in (dict, Mapping):
        return "a dict"
    return getattr(hint, "__name__", str(hint))


_BOUNDS = {Ge: ("[", ">= "), Gt: ("(", "above "), Le: ("]", "<= "), Lt: (")", "below ")}


def _bounds(conditions: Sequence[Any]) -> list[str]:
    """The bounds as messages write them: of two the interval, "in [0, 1)"; else in words. An infinite one is none."""
    bounds = [(*_BOUNDS[type(one)], astuple(one)[0]) for one in conditions if type(one) in _BOUNDS]
    found = [(bracket, words, _short(number)) for bracket, words, number in bounds if math.isfinite(number)]
    if len(found) == 2:
        (left, _, low), (right, _, high) = found
        return [f"in {left}{low}, {high}{right}"]
    return [words + number for _, words, number in found]


def _short(number: float) -> str:
    """A number as people write it: 1e9 where that is all of it."""
    text = f"{number:g}".replace("e+0", "e")
    return text if float(text) == number else str(number)
