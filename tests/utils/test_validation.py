"""Every constructor that a config can reach names an argument that is nonsense, whatever it is."""

import inspect
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, get_type_hints

import mmagic.models
import mmagic.registry
import numpy as np
import pytest
from annotated_types import Interval, Lt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.registry import Registry

import mmtempreg.datasets
import mmtempreg.engine
import mmtempreg.evaluation
import mmtempreg.models  # noqa: F401
from mmtempreg.utils.validation import (
    Count,
    OneOf,
    Positive,
    Repeats,
    Rising,
    Share,
    SomeShare,
    Whole,
    _fits,
    check_arguments,
    check_value,
)


def constructors():
    """All that this package registers, and has a constructor of its own for."""
    found = {}
    for registry in [value for value in vars(mmagic.registry).values() if isinstance(value, Registry)]:
        for kind in registry.module_dict.values():
            if isinstance(kind, type) and kind.__module__.startswith("mmtempreg"):
                function = kind.__init__
                if getattr(function, "__module__", "").startswith("mmtempreg"):
                    found[kind.__name__] = kind
    return dict(sorted(found.items()))


CONSTRUCTORS = constructors()
UNCHECKED = {
    "ClipSampler",  # MMEngine makes it
    "HDRDataPreprocessor",  # hands all on to MMagic's
}
CHEAP = [name for name, kind in CONSTRUCTORS.items() if re.search(r"\.(transforms|losses)\.|twice", kind.__module__)]

REQUIRED = dict(
    data_root="nowhere",
    vgg16="nowhere",
    peak=1.0,
    model=dict(type="BaseEditModel"),
    losses=[],
    transforms=[],
    num_items=4,
)

NONSENSE = st.one_of(
    st.sampled_from([None, math.nan, math.inf, -math.inf, True, "0.8", "x", "", b"x", [], {}, (), [None], -1, 1.5, 0]),
    st.sampled_from([10**400, -(10**30), 1e308, object(), [1, 2, 3], ["a", 1], {"type": 1}, 1j, np.float32("nan")]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(), max_size=3),
)


def test_all_of_them_are_checked():
    assert len(CONSTRUCTORS) > 35
    unchecked = {name for name, kind in CONSTRUCTORS.items() if not hasattr(kind.__init__, "__wrapped__")}
    assert unchecked == UNCHECKED


def parameters(kind):
    hints = get_type_hints(kind.__init__.__wrapped__, include_extras=True)
    return {
        name: hints[name]
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name in hints and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


@pytest.mark.parametrize("name", [name for name in CONSTRUCTORS if name not in UNCHECKED])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nonsense_is_named(name, data):
    kind = CONSTRUCTORS[name]
    options = parameters(kind)
    argument = data.draw(st.sampled_from(sorted(options)), "argument")
    value = data.draw(NONSENSE, "value")
    required = {
        key: REQUIRED.get(key, {})
        for key, parameter in inspect.signature(kind.__init__).parameters.items()
        if key in options and parameter.default is parameter.empty
    }
    if not _fits(value, options[argument]):
        with pytest.raises(ValueError, match=f"{argument} must be|needs `{argument}`"):
            kind(**{**required, argument: value})
    elif name in CHEAP and argument not in ("vgg16", "distance", "transforms", "losses"):
        with suppress(ValueError, TypeError, FileNotFoundError):  # what does not go together, or is not there
            kind(**{**required, argument: value})


@pytest.mark.parametrize(
    ("hint", "good", "bad", "says"),
    [
        (Share, [0, 1, 0.5, np.float32(0.5)], [-0.1, 1.1, math.nan, True, "0.5", None], r"a number in \[0, 1\]"),
        (Count, [0, 7, np.int64(3)], [-1, 1.0, True, "1"], "a whole number >= 0"),
        (Whole | None, [1, None], [0, False, 10**30], r"a whole number in \[1, 1e9\] or None"),
        (Repeats, [1, 1000], [0, 1001, 10**30], r"a whole number in \[1, 1000\]"),
        (float, [-1e300, 0], [math.inf, 10**400], "a finite number"),
        (bool, [True, np.bool_(False)], [0, "False", None], "True or False"),
        (Annotated[str, OneOf(("a", "b"))], ["a"], ["c", 1, None], "one of 'a', 'b'"),
        (Annotated[tuple[SomeShare, SomeShare], Rising()], [(0.1, 1), [0.5, 0.5]],
         [(0, 1), (1, 0.5), (0.5,), 0.5, "ab", (0.5, math.nan)], r"2 values, each a number in \(0, 1\]"),
        (Annotated[int, Lt(3)], [2, -(10**9)], [3, 2.0], "a whole number below 3"),
        (Annotated[int, Interval(gt=1, lt=2**32)], [2, 2**32 - 1], [1, 2**32], r"a whole number in \(1, 4294967296\)"),
        (Sequence[Positive], [[], [1e-9]], [[1, 0], 1, "1"], "a list, each a number above 0"),
        (dict, [{}], [[], "x", None], "a dict"),
    ],
)  # fmt: skip
def test_values(hint, good, bad, says):
    for value in good:
        check_value("it", value, hint)
    for value in bad:
        with pytest.raises(ValueError, match=f"it must be {says}"):
            check_value("it", value, hint)


def test_misspelt_arguments_get_a_suggestion():
    class Network:
        @check_arguments
        def __init__(self, width: Whole = 1) -> None:
            self.width = width

    assert Network(width=3).width == 3
    with pytest.raises(TypeError, match="Network: .*'widht'; did you mean 'width'"):
        Network(widht=3)
    with pytest.raises(ValueError, match=r"^Network: width must be a whole number in \[1, 1e9\], got 0$"):
        Network(0)
