"""Every metric the product publishes: its id, its formula in one line, and where the formula comes from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from rai_assets.errors import UsageError
from rai_assets.metrics.formulas import (
    ATTRIBUTIONS,
    CLASS_AVERAGES,
    CLASS_RANKINGS,
    CONDITIONAL,
    COUNTS,
    NAMED_GAPS,
    RATES,
    REGRESSION,
    SCORES,
    Row,
)
from rai_assets.metrics.production_formulas import (
    ATTRIBUTION_DRIFT,
    COMPARED,
    DRIFT,
    ESTIMATED,
    MEDIA,
    MULTIVARIATE_DRIFT,
)


@dataclass(frozen=True)
class Definition:
    """A formula with a name. Two numbers compare only if their definition is equal.

    Attributes:
        id: Name and version, e.g. `false_positive_rate@1`; a changed formula is a new version.
        name: For people, e.g. `false positive rate`.
        family: `count`, `rate`, `score`, `several classes`, `regression`, `gap`, `named gap`, `attribution`, or one of
            those of production.
        formula: One line. Y target, D decision, S score, tp fp fn tn weights of the four cells, w weights.
        unit: `rate`, `count`, `target` (the target's own unit), or empty.
        higher_is_better: None where neither end is better by itself.
        source: Where the formula is taken from.
        of: Name of the metric that a gap compares; None otherwise.
    """

    id: str
    name: str
    family: str
    formula: str
    unit: str
    higher_is_better: bool | None
    source: str
    of: str | None = None


def definition(name: str) -> Definition:
    """Look a definition up by id, or by name for its newest version.

    Raises:
        UsageError: There is no such metric; names the nearest.
    """
    found = DEFINITIONS.get(name) or _NEWEST.get(name)
    if found is not None:
        return found
    plain, _, version = name.partition("@")
    if plain in _NEWEST:
        versions = ", ".join(item.id for item in DEFINITIONS.values() if item.id.startswith(f"{plain}@"))
        raise UsageError(f"{plain!r} has no version {version!r}", fix=f"one of {versions}")
    near = difflib.get_close_matches(plain, sorted(_NEWEST), n=4, cutoff=0.5)
    fix = f"did you mean {', '.join(near)}?" if near else "`rai metrics` lists the definitions in use"
    raise UsageError(f"there is no metric {name!r}", fix=fix)


def _readable(name: str) -> str:
    words = name.replace("_", " ")
    fixed = {
        "roc auc": "ROC AUC",
        "f1": "F1",
        "ks statistic": "Kolmogorov-Smirnov statistic",
        "l infinity": "L-infinity distance",
        "chi squared": "chi-squared",
        "jensen shannon": "Jensen-Shannon",
        "hellinger": "Hellinger",
        "wasserstein": "Wasserstein",
        "r2": "R²",
        "shap": "SHAP",
        "ndcg": "nDCG",
        "brier": "Brier",
        "matthews": "Matthews",
        "four fifths": "four-fifths ratio",
    }
    for plain, proper in fixed.items():
        words = words.replace(plain, proper)
    return words


def _rows(family: str, rows: Iterable[Row]) -> list[Definition]:
    return [
        Definition(f"{name}@1", _readable(name), family, formula, unit, better, source)
        for name, formula, unit, better, source in rows
    ]


def _gaps(metric: Definition) -> list[Definition]:
    """The gaps of one metric; the one within strata only where the metric is a mean over rows."""
    name = metric.id.partition("@")[0]
    words = metric.name
    gaps = [
        ("difference", f"max - min over groups of the {words}", metric.unit, False),
        ("ratio", f"min / max over groups of the {words}", "", True),
        ("difference_to_reference", f"{words} of the group - that of the reference group", metric.unit, None),
        ("ratio_to_reference", f"{words} of the group / that of the reference group", "", None),
    ]
    if name in CONDITIONAL:
        formula = f"max - min over groups of sum over strata of (stratum's share of all rows * {words} in it)"
        gaps.append(("conditional_difference", formula, metric.unit, False))
    return [
        Definition(
            f"{name}_{suffix}@1", _readable(f"{name}_{suffix}"), "gap", formula, unit, better, metric.source, of=name
        )
        for suffix, formula, unit, better in gaps
    ]


_MEASURED = [
    *_rows("rate", RATES),
    *_rows("score", SCORES),
    *_rows("several classes", [*CLASS_AVERAGES, *CLASS_RANKINGS]),
    *_rows("regression", REGRESSION),
]

DEFINITIONS: dict[str, Definition] = {
    item.id: item
    for item in [
        *_rows("count", COUNTS),
        *_MEASURED,
        *(gap for metric in _MEASURED for gap in _gaps(metric)),
        *_rows("named gap", NAMED_GAPS),
        *_rows("attribution", ATTRIBUTIONS),
        *_rows("drift", DRIFT),
        *_rows("media", MEDIA),
        *_rows("drift of columns together", MULTIVARIATE_DRIFT),
        *_rows("performance without labels", ESTIMATED),
        *_rows("drift of attributions", ATTRIBUTION_DRIFT),
        *_rows("production against before", COMPARED),
    ]
}
"""Every definition by id."""

# Versions stand in ascending order, so that the last of a name is its newest.
_NEWEST: dict[str, Definition] = {item.id.partition("@")[0]: item for item in DEFINITIONS.values()}
