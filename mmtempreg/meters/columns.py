"""Columns of tables: which measure a value is of, and how it is written."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from . import METERS, EquivarianceMeter, Meter, PSNRMeter, column_of


def columns_of(names: Iterable[str]) -> dict[str, tuple[str, type[Meter]]]:
    """Those of the metrics that have a column, with heading and measure, in the order of columns."""
    found = {name: column for name in names if (column := column_of(name))}
    order = list(METERS.values())
    order.insert(order.index(PSNRMeter) + 1, EquivarianceMeter)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1][1]), item[1][0])))


def cell(values: Sequence[float], meter: type[Meter]) -> str:
    """Mean, and sample standard deviation if there is more than one value."""
    text = meter.format(statistics.fmean(values))
    if len(values) == 1 or text == "n/a":
        return text
    spread = statistics.stdev(values)
    return f"{text} ± {spread:.2g}" if meter.spec.endswith("g") else f"{text} ± {meter.format(spread)}"
