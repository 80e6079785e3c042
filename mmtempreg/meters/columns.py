"""Columns of tables: the names that metrics write their values under, and the measures that these are of."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import METERS, EquivarianceMeter, Meter, PSNRMeter

TRUTH = "truth"
"""Ends the name of what the reference has itself."""


@dataclass(frozen=True)
class Column:
    """A value that a metric writes: in `tools/test.py --out` and in results under its `name`, in tables in a column.

    Attributes:
        metric: Name of the metric (`Meter.metric` or one of its `metric_aliases`).
        lag: Seconds between the frames that are compared; None: one frame.
        beside: Name of what stands beside the measure (`Meter.beside`); empty: the measure itself.
    """

    metric: str
    lag: float | None = None
    beside: str = ""

    @property
    def name(self) -> str:
        """Under which the value is written, such as TemporalFlicker_1s_E_warp."""
        return "_".join(filter(None, [self.metric, "" if self.lag is None else f"{self.lag:g}s", self.beside]))

    @property
    def of_truth(self) -> str:
        """The name under which the same of the reference is written."""
        return f"{self.name}_{TRUTH}"

    @classmethod
    def named(cls, name: str) -> Column | None:
        """The column of a value; None if it has none, as what the reference has."""
        metric, lag, beside = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]  # it matches all
        column = cls(metric, None if lag is None else float(lag), beside or "")
        return column if column.name == name and column._measure() else None

    def _measure(self) -> type[Meter] | None:
        meter = _METRICS.get(self.metric)
        if meter is None or (self.lag is not None and not meter.lagged):
            return None
        return _TITLES.get(self.beside) if self.beside else meter

    @property
    def meter(self) -> type[Meter]:
        """The measure that the value is of."""
        meter = self._measure()
        if meter is None:
            raise ValueError(f"{self.name} is no value of a measure")
        return meter

    @property
    def title(self) -> str:
        """Heading of the column."""
        return self.meter.title if self.lag is None else f"{self.meter.title} {self.lag:g} s"


_NAME = re.compile(r"([^_]*)(?:_(\d+(?:\.\d+)?(?:e[+-]?\d+)?)s)?(?:_(.*))?", re.S)


def _in_order() -> list[type[Meter]]:
    order = list(METERS.values())
    order.insert(order.index(PSNRMeter) + 1, EquivarianceMeter)
    return order


_METRICS = {name: meter for meter in _in_order() for name in (meter.metric, *meter.metric_aliases)}
_TITLES = {meter.title: meter for meter in _in_order()}


def columns_of(names: Iterable[str]) -> dict[str, Column]:
    """Selects the values that have a column, in the order of columns."""
    found = {name: column for name in names if (column := Column.named(name))}
    order = _in_order()
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1].meter), item[1].title)))


def cell(values: Sequence[float], meter: type[Meter]) -> str:
    """Mean, and sample standard deviation if there is more than one value."""
    text = meter.format(statistics.fmean(values))
    if len(values) == 1 or text == "n/a":
        return text
    spread = statistics.stdev(values)
    return f"{text} ± {spread:.2g}" if meter.spec.endswith("g") else f"{text} ± {meter.format(spread)}"
