"""From a list of published numbers to the few tables that a reader can take in."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rai_assets.charts.text import count, cut, interval, measure
from rai_assets.metrics.number import Number
from rai_assets.report.words import definition_name

NAME_LIMIT = 80
_ROWS, _COLUMNS, _GRIDS = 20, 7, 16
# Which measures come first where not all fit.
_HEADLINE = (
    "selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "precision", "base_rate", "roc_auc",
    "expected_calibration_error", "mean_error", "mean_absolute_error", "root_mean_squared_error", "r2",
    "mean_absolute_shap_value", "permutation_importance", "sensitive_association",
    "demographic_parity_difference", "four_fifths", "equalized_odds_difference", "equal_opportunity_difference",
    "average_odds_difference", "selection_rate_conditional_difference", "true_positive_rate_difference",
    "false_positive_rate_difference", "accuracy_difference", "precision_difference", "mean_error_difference",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One published number as text.

    Attributes:
        text: The value, or a dash.
        detail: The interval, or why there is no value.
        rows: `n 1,234`; empty where it is said for the whole table.
        small: True for a cell of few rows.
        missing: True where there is no value.
    """

    text: str = ""
    detail: str = ""
    rows: str = ""
    small: bool = False
    missing: bool = False


@dataclass(frozen=True)
class Head:
    """The heading of a column or row of numbers, with the definition it stands for (empty for a group)."""

    text: str
    definition: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of numbers.

    Attributes:
        title: Caption.
        corner: Heading of the column of row names.
        columns: Headings.
        rows: Row name and its cells.
        left_out: What is not shown; empty where all is shown.
        command: The command that prints it.
        folded: True for a table that is closed until asked for.
    """

    title: str
    corner: str
    columns: tuple[Head, ...]
    rows: tuple[tuple[Head, tuple[Cell, ...]], ...]
    left_out: str = ""
    command: str = ""
    folded: bool = False


def cell(number: Number) -> Cell:
    """The number as a table shows it."""
    if number.value is None:
        return Cell("–", cut(number.reason, 90), missing=True)
    counted = number.unit == "count"
    bounds = interval(number.low, number.high, counted=counted)
    rows = f"n {count(number.n)}" if number.n is not None and not counted else ""
    return Cell(measure(number.value, counted=counted), bounds, rows, small=number.small)


def grids(numbers: Sequence[Number], use_case: str, wanted: Sequence[str] = ()) -> list[Grid]:
    """The tables of one section: all rows, gaps, groups, intersections, classes, features.

    Args:
        numbers: Published numbers of one asset.
        use_case: Name of the use case, for the command that gives the rest.
        wanted: Definition ids that are shown first, e.g. those of the requirements.
    """
    split = _main_split(numbers)
    kinds: dict[tuple[str, ...], list[Number]] = {}
    for number in numbers:
        kinds.setdefault(_kind(number), []).append(number)
    tables = []
    for kind in sorted(kinds, key=_reading_order):
        members = kinds[kind]
        if kind[0] != "overall":
            members = [number for number in members if number.split in (split, None)]
        tables.append(_Pivot(kind, members, use_case, wanted, split).grid())
    shown = [table for table in tables if table.rows]
    if len(shown) > _GRIDS:
        rest = f"{len(shown) - _GRIDS} more tables are left out"
        last = replace(shown[_GRIDS - 1], left_out=rest, command=f"rai metrics {use_case} --format csv")
        shown = [*shown[: _GRIDS - 1], last]
    return shown


def _main_split(numbers: Sequence[Number]) -> str | None:
    """The split that most group numbers are from; without groups the one that most numbers are from."""
    splits = Counter(number.split for number in numbers if number.group) or Counter(item.split for item in numbers)
    return splits.most_common(1)[0][0] if splits else None


def _kind(number: Number) -> tuple[str, ...]:
    coordinates = number.coordinates
    if "feature" in coordinates:
        return ("feature",)
    if number.reference is not None:
        return ("reference", *(number.group or [coordinates.get("sensitive", "")]))
    if "stratifier" in coordinates:
        return ("stratifier",)
    if number.group:
        return ("group", *number.group)
    if "sensitive" in coordinates:
        return ("gap",)
    if "class" in coordinates:
        return ("class",)
    return ("overall",)


def _reading_order(kind: tuple[str, ...]) -> tuple[int, int]:
    order = ("overall", "class", "gap", "stratifier", "group", "reference", "feature")
    # Intersections come after the single columns, the references after all groups.
    return order.index(kind[0]), len(kind)


@dataclass(frozen=True)
class _Pivot:
    """Numbers of one kind, laid out as rows and columns."""

    kind: tuple[str, ...]
    numbers: Sequence[Number]
    use_case: str
    wanted: Sequence[str]
    split: str | None

    def grid(self) -> Grid:
        """The table, cut to what a reader takes in."""
        by_definition = self.kind[0] in ("overall", "gap")
        row_of, column_of = (_definition, self._place) if by_definition else (self._place, _measure)
        cells: dict[tuple[Head, Head], Cell] = {}
        rows: dict[Head, int] = {}
        columns: dict[Head, None] = {}
        for number in self.numbers:
            row, column = row_of(number), column_of(number)
            cells.setdefault((row, column), cell(number))
            rows[row] = max(rows.get(row, 0), number.n or 0)
            columns[column] = None
        shown_rows = self._first(list(rows)) if by_definition else self._rows(rows)
        shown_columns = list(columns)[:_COLUMNS] if by_definition else self._first(list(columns))[:_COLUMNS]
        same = ""
        if self.kind == ("overall",):
            cells, shown_columns = _spread(cells, shown_columns)
        else:
            cells, same = _said_once(cells)
        left_out = self._left_out((len(shown_rows), len(rows)), (min(_COLUMNS, len(columns)), len(columns)))
        return Grid(
            ", ".join(part for part in (self._title(), same) if part),
            self._corner(),
            tuple(shown_columns),
            tuple((row, tuple(cells.get((row, column), Cell()) for column in shown_columns)) for row in shown_rows),
            left_out,
            self._command() if left_out else "",
            folded=self.kind[0] == "reference" or len(self.kind) > 2,
        )

    def _place(self, number: Number) -> Head:
        """Where the number was measured: the group, the columns compared, the class, the feature, the split."""
        coordinates = number.coordinates
        parts = [str(value) for value in number.group.values()]
        if self.kind[0] in ("gap", "stratifier") and "sensitive" in coordinates:
            parts.append(coordinates["sensitive"].replace(",", " × "))
        if "stratifier" in coordinates:
            parts.append(f"within {coordinates['stratifier']}")
        if "feature" in coordinates:
            parts.append(coordinates["feature"])
        if "class" in coordinates:
            parts.append(coordinates["class"] if self.kind == ("class",) else f"class {coordinates['class']}")
        if number.reference and self.kind[0] == "reference":
            parts.append(f"against {' · '.join(number.reference.values())}")
        if number.cohort:
            parts.append(f"cohort {number.cohort}")
        if self.kind[0] == "overall":
            parts.append(f"{number.split} rows" if number.split else "all rows")
        return Head(" · ".join(cut(part, NAME_LIMIT) for part in parts))

    def _first(self, heads: list[Head]) -> list[Head]:
        """The measures that matter most to this audit, at most as many as rows fit."""
        order = ["count", *self.wanted, *_HEADLINE]
        ranked = sorted(heads, key=lambda head: _rank(head.definition, order))
        return ranked[:_ROWS]

    def _rows(self, sizes: dict[Head, int]) -> list[Head]:
        if self.kind == ("feature",):
            importance = _importance(self.numbers)
            return sorted(sizes, key=lambda head: -importance.get(head.text, 0.0))[:_ROWS]
        if len(sizes) <= _ROWS:
            return list(sizes)
        return sorted(sizes, key=lambda head: -sizes[head])[:_ROWS]

    def _columns_named(self) -> str:
        return " × ".join(cut(name, NAME_LIMIT) for name in self.kind[1:])

    def _title(self) -> str:
        rows = f", {self.split} rows" if self.split else ""
        titles = {
            "overall": "All rows together",
            "class": f"By class{rows}",
            "gap": f"Gaps between groups{rows}",
            "stratifier": f"Gaps among comparable rows{rows}",
            "group": f"By {self._columns_named()}{rows}",
            "reference": f"By {self._columns_named()}, against a reference group{rows}",
            "feature": f"Features{rows}",
        }
        return titles[self.kind[0]]

    def _corner(self) -> str:
        corners = {"overall": "Measure", "gap": "Gap", "class": "Class", "feature": "Feature", "stratifier": "Between"}
        return corners.get(self.kind[0]) or self._columns_named()

    def _left_out(self, rows: tuple[int, int], columns: tuple[int, int]) -> str:
        things = {"overall": "measures", "gap": "gaps", "class": "classes", "feature": "features", "stratifier": "gaps"}
        thing = things.get(self.kind[0], "groups")
        across = "columns" if self.kind[0] in ("overall", "gap") else "measures"
        cuts = []
        if rows[0] < rows[1]:
            which = ", the largest first" if thing == "groups" else ""
            cuts.append(f"{count(rows[0])} of {count(rows[1])} {thing} shown{which}")
        if columns[0] < columns[1]:
            cuts.append(f"{count(columns[0])} of {count(columns[1])} {across} shown")
        return "; ".join(cuts)

    def _command(self) -> str:
        columns = ",".join(cut(name, NAME_LIMIT) for name in self.kind[1:])
        by = f" --by {shlex.quote(columns)}" if self.kind[0] in ("group", "reference") else ""
        return f"rai metrics {self.use_case}{by} --format csv"


def _spread(
    cells: dict[tuple[Head, Head], Cell], columns: list[Head]
) -> tuple[dict[tuple[Head, Head], Cell], list[Head]]:
    """The first column's intervals and n as columns of their own."""
    first, bounds, rows = columns[0], Head("Interval"), Head("n")
    spread = dict(cells)
    for (row, column), item in cells.items():
        if column == first and not item.missing:
            spread[row, first] = replace(item, detail="", rows="")
            spread[row, bounds] = Cell(detail=item.detail)
            spread[row, rows] = Cell(detail=item.rows.removeprefix("n "))
    return spread, [first, bounds, rows, *columns[1:]]


def _said_once(cells: dict[tuple[Head, Head], Cell]) -> tuple[dict[tuple[Head, Head], Cell], str]:
    """The cells without their n where it is the same in all of them, and that n."""
    rows = {item.rows for item in cells.values() if not item.missing}
    if len(rows) != 1 or len(cells) == 1:
        return cells, ""
    return {place: replace(item, rows="") for place, item in cells.items()}, rows.pop()


def _definition(number: Number) -> Head:
    return Head(definition_name(number.definition), number.definition)


def _measure(number: Number) -> Head:
    name = definition_name(number.definition)
    if "feature" in number.coordinates and "sensitive" in number.coordinates:
        return Head(f"{name}: {cut(number.coordinates['sensitive'], NAME_LIMIT)}", number.definition)
    return Head(name, number.definition)


def _rank(definition: str, order: Sequence[str]) -> int:
    stem = definition.partition("@")[0]
    return min((index for index, name in enumerate(order) if name in (definition, stem)), default=len(order))


def _importance(numbers: Sequence[Number]) -> dict[str, float]:
    order: Callable[[Number], int] = lambda number: _rank(number.definition, _HEADLINE)  # noqa: E731
    first = min(numbers, key=order).definition if numbers else ""
    return {
        cut(number.coordinates["feature"], NAME_LIMIT): abs(number.value)
        for number in numbers
        if number.definition == first and number.value is not None
    }
