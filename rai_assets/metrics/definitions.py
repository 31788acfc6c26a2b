"""Every metric the product publishes: its id, its formula in one line, and where the formula comes from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from rai_assets.errors import UsageError


@dataclass(frozen=True)
class Definition:
    """A formula with a name. Two numbers compare only if their definition is equal.

    Attributes:
        id: Name and version, e.g. `false_positive_rate@1`; a changed formula is a new version.
        name: For people, e.g. `false positive rate`.
        family: `count`, `rate`, `score`, `several classes`, `regression`, `gap`, `named gap` or `attribution`.
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


def definition_id(name: str) -> str:
    """The id of the newest version of a metric.

    Raises:
        UsageError: There is no such metric; names the nearest.
    """
    return definition(name).id


def definition(name: str) -> Definition:
    """Look a definition up by id, or by name for its newest version.

    Raises:
        UsageError: There is no such metric; names the nearest.
    """
    if name in DEFINITIONS:
        return DEFINITIONS[name]
    plain, _, version = name.partition("@")
    versions = [item for item in DEFINITIONS.values() if item.id.partition("@")[0] == plain]
    if versions and not version:
        return max(versions, key=lambda item: int(item.id.partition("@")[2]))
    if versions:
        raise UsageError(
            f"{plain!r} has no version {version!r}", fix=f"one of {', '.join(item.id for item in versions)}"
        )
    known = sorted({item.partition("@")[0] for item in DEFINITIONS})
    near = difflib.get_close_matches(plain, known, n=4, cutoff=0.5)
    fix = f"did you mean {', '.join(near)}?" if near else "`rai metrics` lists the definitions in use"
    raise UsageError(f"there is no metric {name!r}", fix=fix)


_CONFUSION = "Fawcett (2006), Pattern Recognit. Lett. 27:861"
_SKLEARN = "scikit-learn, sklearn.metrics"

# name, formula, unit, higher is better, source
_Row = tuple[str, str, str, bool | None, str]

_COUNTS: list[_Row] = [
    ("count", "rows, unweighted", "count", None, ""),
    ("true_positives", "rows with Y = 1 and D = 1, unweighted", "count", None, _CONFUSION),
    ("false_positives", "rows with Y = 0 and D = 1, unweighted", "count", None, _CONFUSION),
    ("false_negatives", "rows with Y = 1 and D = 0, unweighted", "count", None, _CONFUSION),
    ("true_negatives", "rows with Y = 0 and D = 0, unweighted", "count", None, _CONFUSION),
    ("weight_sum", "sum of w over the rows", "", None, ""),
    ("missing_count", "rows whose value in the column is missing, unweighted", "count", None, ""),
]

_RATES: list[_Row] = [
    ("base_rate", "(tp + fn) / (tp + fp + fn + tn)", "rate", None, _CONFUSION),
    ("selection_rate", "(tp + fp) / (tp + fp + fn + tn)", "rate", None, "Fairlearn, fairlearn.metrics.selection_rate"),
    ("accuracy", "(tp + tn) / (tp + fp + fn + tn)", "rate", True, _SKLEARN),
    (
        "balanced_accuracy",
        "(tp / (tp + fn) + tn / (tn + fp)) / 2; several classes: mean over the classes of the target of "
        "P(D = class given Y = class)",
        "rate",
        True,
        "Brodersen et al. (2010), ICPR, 3121",
    ),
    ("true_positive_rate", "tp / (tp + fn)", "rate", True, _CONFUSION),
    ("false_positive_rate", "fp / (fp + tn)", "rate", False, _CONFUSION),
    ("true_negative_rate", "tn / (tn + fp)", "rate", True, _CONFUSION),
    ("false_negative_rate", "fn / (fn + tp)", "rate", False, _CONFUSION),
    ("precision", "tp / (tp + fp)", "rate", True, _CONFUSION),
    ("negative_predictive_value", "tn / (tn + fn)", "rate", True, _CONFUSION),
    ("false_discovery_rate", "fp / (fp + tp)", "rate", False, _CONFUSION),
    ("false_omission_rate", "fn / (fn + tn)", "rate", False, _CONFUSION),
    ("f1", "2 tp / (2 tp + fp + fn)", "rate", True, "van Rijsbergen (1979), Information Retrieval"),
    (
        "matthews_correlation",
        "(tp tn - fp fn) / sqrt((tp + fp)(tp + fn)(tn + fp)(tn + fn)); several classes: Gorodkin's R_K",
        "",
        True,
        "Matthews (1975), Biochim. Biophys. Acta 405:442; Gorodkin (2004), Comput. Biol. Chem. 28:367",
    ),
]

_SCORES: list[_Row] = [
    (
        "roc_auc",
        "P(S of a row with Y = 1 > S of a row with Y = 0) + P(equal) / 2",
        "",
        True,
        "DeLong et al. (1988), Biometrics 44:837",
    ),
    (
        "average_precision",
        "sum over thresholds of (recall - recall at the next higher threshold) * precision",
        "",
        True,
        "scikit-learn, sklearn.metrics.average_precision_score",
    ),
    (
        "log_loss",
        "mean of -log(probability given to the true class), probabilities kept 2.2e-16 from 0 and 1",
        "",
        False,
        "scikit-learn, sklearn.metrics.log_loss",
    ),
    ("brier_score", "mean of (S - Y)^2", "", False, "Brier (1950), Mon. Weather Rev. 78:1"),
    (
        "expected_calibration_error",
        "sum over 10 bins of S, [0, 0.1) ... [0.9, 1], of |mean of (S - Y) in the bin| * share of the bin",
        "",
        False,
        "Naeini et al. (2015), AAAI, 2901; bins of equal width",
    ),
    ("mean_score", "mean of S", "", None, ""),
]

_CLASS_AVERAGES: list[_Row] = [
    (
        f"{prefix}_{name}",
        f"{how} of the one-vs-rest {name.replace('_', ' ')} over the classes that occur in target or decision",
        "rate",
        True,
        _SKLEARN + f", average='{prefix}'",
    )
    for prefix, how in (
        ("macro", "mean"),
        ("micro", "value from the pooled cells"),
        ("weighted", "mean, weighted by the rows of each class,"),
    )
    for name in ("true_positive_rate", "precision", "f1")
]
_CLASS_RANKINGS: list[_Row] = [
    (
        f"{prefix}_roc_auc",
        f"{how} of the one-vs-rest ROC AUC over the classes of the target",
        "",
        True,
        _SKLEARN + f".roc_auc_score, multi_class='ovr', average='{prefix}'",
    )
    for prefix, how in (("macro", "mean"), ("weighted", "mean, weighted by the rows of each class,"))
]

_REGRESSION: list[_Row] = [
    ("mean_absolute_error", "mean of |S - Y|", "target", False, _SKLEARN),
    ("root_mean_squared_error", "sqrt(mean of (S - Y)^2)", "target", False, _SKLEARN),
    ("median_absolute_error", "median of |S - Y|", "target", False, _SKLEARN),
    ("r2", "1 - sum (S - Y)^2 / sum (Y - mean of Y)^2", "", True, _SKLEARN),
    ("mean_error", "mean of S - Y: above 0 the prediction is too high", "target", None, ""),
    ("mean_prediction", "mean of S", "target", None, ""),
    ("mean_target", "mean of Y", "target", None, ""),
]

CONDITIONAL = frozenset(
    {
        "base_rate",
        "selection_rate",
        "accuracy",
        "true_positive_rate",
        "false_positive_rate",
        "true_negative_rate",
        "false_negative_rate",
        "precision",
        "negative_predictive_value",
        "false_discovery_rate",
        "false_omission_rate",
        "mean_score",
        "mean_error",
        "mean_absolute_error",
        "mean_prediction",
        "mean_target",
    }
)
"""Metrics that are means over rows, and so can be compared within strata."""

_FAIRLEARN = "Fairlearn, fairlearn.metrics"
_AIF360 = "AI Fairness 360, aif360.metrics; u = every row outside the reference group, p = the reference group"

_NAMED_GAPS: list[_Row] = [
    ("demographic_parity_difference", "max - min over groups of the selection rate", "rate", False, _FAIRLEARN),
    ("demographic_parity_ratio", "min / max over groups of the selection rate", "", True, _FAIRLEARN),
    (
        "equalized_odds_difference",
        "the larger of the max - min of the true positive rate and that of the false positive rate",
        "rate",
        False,
        _FAIRLEARN + ", agg='worst_case'",
    ),
    (
        "equalized_odds_ratio",
        "the smaller of the min / max of the true positive rate and that of the false positive rate",
        "",
        True,
        _FAIRLEARN + ", agg='worst_case'",
    ),
    (
        "equalized_odds_difference_mean",
        "mean of the max - min of the true positive rate and that of the false positive rate",
        "rate",
        False,
        _FAIRLEARN + ", agg='mean'",
    ),
    ("equal_opportunity_difference", "max - min over groups of the true positive rate", "rate", False, _FAIRLEARN),
    ("equal_opportunity_ratio", "min / max over groups of the true positive rate", "", True, _FAIRLEARN),
    (
        "average_odds_difference",
        "(FPR_u - FPR_p + TPR_u - TPR_p) / 2, signed",
        "rate",
        None,
        _AIF360,
    ),
    ("average_absolute_odds_difference", "(|FPR_u - FPR_p| + |TPR_u - TPR_p|) / 2", "rate", False, _AIF360),
    (
        "equalized_odds_sum",
        "|TPR_u - TPR_p| + |TNR_u - TNR_p|",
        "",
        False,
        "Le Quy et al. (2022), WIREs Data Min. Knowl. Discov. 12:e1452",
    ),
    ("statistical_parity_difference", "selection rate of u - selection rate of p, signed", "rate", None, _AIF360),
    ("disparate_impact", "selection rate of u / selection rate of p", "", None, _AIF360),
    (
        "four_fifths",
        "lowest over highest selection rate of the groups; the rule of thumb holds at 0.8 and above",
        "",
        True,
        "29 CFR 1607.4(D)",
    ),
]

_ATTRIBUTIONS: list[_Row] = [
    ("mean_absolute_shap_value", "mean over rows of |Shapley value of the feature|", "", None, "Lundberg & Lee (2017)"),
    (
        "permutation_importance",
        "loss with the feature's values permuted - loss",
        "",
        None,
        "Breiman (2001), Mach. Learn. 45:5",
    ),
    (
        "additivity_residual",
        "largest over rows of |base + sum of Shapley values - output| / range of the output",
        "",
        False,
        "Lundberg & Lee (2017), NeurIPS, 4765",
    ),
    (
        "sensitive_association",
        "strength of association of the feature with the sensitive column, 0 to 1",
        "",
        None,
        "Cramér (1946); correlation ratio for numeric features",
    ),
]


def _readable(name: str) -> str:
    words = name.replace("_", " ")
    fixed = {
        "roc auc": "ROC AUC",
        "f1": "F1",
        "r2": "R²",
        "shap": "SHAP",
        "brier": "Brier",
        "matthews": "Matthews",
        "four fifths": "four-fifths ratio",
    }
    for plain, proper in fixed.items():
        words = words.replace(plain, proper)
    return words


def _rows(family: str, rows: Iterable[_Row]) -> list[Definition]:
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
    *_rows("rate", _RATES),
    *_rows("score", _SCORES),
    *_rows("several classes", [*_CLASS_AVERAGES, *_CLASS_RANKINGS]),
    *_rows("regression", _REGRESSION),
]

DEFINITIONS: dict[str, Definition] = {
    item.id: item
    for item in [
        *_rows("count", _COUNTS),
        *_MEASURED,
        *(gap for metric in _MEASURED for gap in _gaps(metric)),
        *_rows("named gap", _NAMED_GAPS),
        *_rows("attribution", _ATTRIBUTIONS),
    ]
}
"""Every definition by id."""
