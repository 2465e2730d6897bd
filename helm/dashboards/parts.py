"""What every dashboard is made of: questions, graphs, numbers, rows, and how they look.

Comes in: titles, units and questions in PromQL. Goes out: Grafana's objects. Next: ``one_job``,
``queue``, ``cluster``, ``teams``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import common as looks
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
"""The chart's data source; a Grafana of your own needs one of this uid."""
TAG = "sentinels"

CORES, BYTES, SECONDS = "short", "bytes", "s"
BYTES_A_SECOND, PERCENT, PART, JOBS = "binBps", "percent", "percentunit", "short"
"""Grafana's names of units."""

_WIDTH, _GRAPH_HEIGHT, _NUMBER_HEIGHT = 24, 8, 4
_LETTERS = "ABCDEFGH"
Panel = timeseries.Panel | stat.Panel


@dataclass(frozen=True)
class Query:
    """A question to Prometheus, and what its series are called: ``{{label}}`` is filled in."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Row:
    """Panels under a title, side by side."""

    title: str
    panels: Sequence[Panel]


def graph(
    title: str, unit: str, *queries: Query, about: str = "", stacked: bool = False, span: int = 12
) -> timeseries.Panel:
    """Series over time; ``stacked`` where they add up to something."""
    legend = (
        looks.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE if len(queries) > 1 else LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )
    tooltip = looks.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(span)
        .height(_GRAPH_HEIGHT)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .legend(legend)
        .tooltip(tooltip)
    )
    if stacked:
        panel.stacking(looks.StackingConfig().mode(StackingMode.NORMAL))
    for letter, query in zip(_LETTERS, queries, strict=False):
        panel.with_target(_target(query, letter))
    return panel


def number(
    title: str, unit: str, query: Query, *, about: str = "", span: int = 4, red_from: float = 0
) -> stat.Panel:
    """One number as it is now, with its recent past behind it; red from ``red_from`` on."""
    steps = [models.Threshold(value=None, color="green")]
    if red_from:
        steps.append(models.Threshold(value=red_from, color="red"))
    thresholds = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(_NUMBER_HEIGHT)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(looks.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds)
        .with_target(_target(query, "A"))
    )


def choice(
    name: str, label: str, question: str, *, several: bool = True
) -> dashboard.QueryVariable:
    """A list to choose from, all of it at first; ``question`` is as in ``label_values(x, y)``."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": question, "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NUMERICAL_DESC)
        .include_all(include_all=True)
        .all_value(".+")
        .multi(multi=several)
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def board(
    uid: str,
    title: str,
    about: str,
    rows: Sequence[Row],
    *,
    choices: Sequence[dashboard.QueryVariable] = (),
    since: str = "now-6h",
) -> models.Dashboard:
    """A dashboard; its panels have numbers of their own, and it leads to the others."""
    others = (
        dashboard.DashboardLink("Sentinels")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
    )
    made = (
        dashboard.Dashboard(f"Sentinels / {title}")
        .uid(f"sentinels-{uid}")
        .description(about)
        .tags([TAG])
        .link(others)
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
    )
    for chosen in choices:
        made.with_variable(chosen)
    numbers = count(1)
    for row in rows:
        made.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(panel.id(next(numbers)))
    return made.build()


def _target(query: Query, letter: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(letter)
        .expr(query.expr)
        .legend_format(query.legend)
        .format(PromQueryFormat.TIME_SERIES)
        .range()
    )
