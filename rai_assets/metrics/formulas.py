"""The formulas, one row each: what `definitions.py` makes definitions of.

Y is the target, D the decision, S the score or prediction, w the weight; tp, fp, fn and tn the weights of the cells.
"""

from __future__ import annotations

Row = tuple[str, str, str, bool | None, str]
"""Name, formula, unit, whether higher is better, source."""

_CONFUSION = "Fawcett (2006), Pattern Recognit. Lett. 27:861"
_SKLEARN = "scikit-learn, sklearn.metrics"


COUNTS: list[Row] = [
    ("count", "rows, unweighted", "count", None, ""),
    ("true_positives", "rows with Y = 1 and D = 1, unweighted", "count", None, _CONFUSION),
    ("false_positives", "rows with Y = 0 and D = 1, unweighted", "count", None, _CONFUSION),
    ("false_negatives", "rows with Y = 1 and D = 0, unweighted", "count", None, _CONFUSION),
    ("true_negatives", "rows with Y = 0 and D = 0, unweighted", "count", None, _CONFUSION),
    ("weight_sum", "sum of w over the rows", "", None, ""),
    ("missing_count", "rows whose value in the column is missing, unweighted", "count", None, ""),
]

RATES: list[Row] = [
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

SCORES: list[Row] = [
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

CLASS_AVERAGES: list[Row] = [
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
CLASS_RANKINGS: list[Row] = [
    (
        f"{prefix}_roc_auc",
        f"{how} of the one-vs-rest ROC AUC over the classes of the target",
        "",
        True,
        _SKLEARN + f".roc_auc_score, multi_class='ovr', average='{prefix}'",
    )
    for prefix, how in (("macro", "mean"), ("weighted", "mean, weighted by the rows of each class,"))
]

REGRESSION: list[Row] = [
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

NAMED_GAPS: list[Row] = [
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

ATTRIBUTIONS: list[Row] = [
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
