"""The formulas of what is watched in production besides the drift of single columns, one row each."""

from __future__ import annotations

from rai_assets.metrics.formulas import Row

_GREY = "grey value 0.299 R + 0.587 G + 0.114 B in 256 steps, 0 black to 1 white; of several pictures the first"

MEDIA: list[Row] = [
    ("media_brightness", f"mean over the pixels of the {_GREY}", "", None, "ITU-R BT.601, luma"),
    ("media_contrast", f"standard deviation over the pixels of the {_GREY}", "", None, "ITU-R BT.601, luma"),
    (
        "media_level",
        "root of the mean squared amplitude over samples and channels, 0 silence to 1 full scale",
        "",
        None,
        "",
    ),
]

MULTIVARIATE_DRIFT: list[Row] = [
    (
        "domain_classifier_auc",
        "ROC AUC of a classifier that tells rows of the batch from rows of the reference, fitted on half of either and "
        "measured on the other halves",
        "",
        None,
        "Lopez-Paz & Oquab (2017), ICLR, on classifier two-sample tests",
    ),
    (
        "domain_classifier_importance",
        "domain_classifier_auc - that with the feature's values permuted",
        "",
        None,
        "Breiman (2001), Mach. Learn. 45:5",
    ),
    (
        "reconstruction_error",
        "mean over rows of |z - P z|: z the columns, categories as their share of the reference, each less the "
        "reference's mean and over its deviation; P the projection on the fewest principal components of the reference "
        "with 65 % of its variance",
        "",
        None,
        "NannyML, data reconstruction with PCA",
    ),
]

_EXPECTED = (
    "the metric of the table of expected counts: tp = sum of p over D = 1, fp = sum of 1 - p over D = 1, "
    "fn = sum of p over D = 0, tn = sum of 1 - p over D = 0, p the score calibrated on rows weighted by their likeness "
    "to the batch"
)
_CBPE = (
    "NannyML, confidence-based performance estimation; weights by likeness as in Bialek et al. (2024), arXiv:2401.08348"
)
_DLE = "NannyML, direct loss estimation"

ESTIMATED: list[Row] = [
    *((f"estimated_{name}", _EXPECTED, "rate", better, _CBPE) for name, better in (
        ("accuracy", True), ("true_positive_rate", True), ("false_positive_rate", False), ("precision", True),
        ("f1", True), ("base_rate", None),
    )),
    (
        "estimated_roc_auc",
        "sum over pairs of rows of p_i (1 - p_j) [S_i > S_j] + p_i (1 - p_j) [S_i = S_j] / 2, over "
        "sum of p * sum of (1 - p), p the score calibrated on rows weighted by their likeness to the batch; where that "
        "is an isotonic map, less what this is above the ROC AUC of the calibration rows",
        "",
        True,
        _CBPE,
    ),
    *(
        (f"estimated_macro_{name}", f"mean over the classes of the one-vs-rest estimated_{name}", unit, True, _CBPE)
        for name, unit in (("true_positive_rate", "rate"), ("precision", "rate"), ("f1", "rate"), ("roc_auc", ""))
    ),
    (
        "estimated_mean_absolute_error",
        "mean over rows of the |S - Y| that a second model predicts from the features and S",
        "target",
        False,
        _DLE,
    ),
    (
        "estimated_root_mean_squared_error",
        "root of the mean over rows of the (S - Y)^2 that a second model predicts from the features and S",
        "target",
        False,
        _DLE,
    ),
    (
        "unsupported_rate",
        "share of the rows with a category or a score beyond those of the calibration rows, or whose 5th nearest "
        "calibration row is farther away than that of 99 % of the calibration rows",
        "rate",
        False,
        "k-nearest-neighbour applicability domain; Sahigara et al. (2013), J. Cheminform. 5:27",
    ),
]  # fmt: skip

ATTRIBUTION_DRIFT: list[Row] = [
    (
        "attribution_ndcg",
        "sum over the features in their order now of importance before / log2(place + 1), over the same sum in their "
        "order before; importance = mean |Shapley value|",
        "",
        True,
        "Amazon SageMaker Clarify, feature attribution drift; alarm below 0.90",
    ),
    (
        "attribution_rank_agreement",
        "Kendall's tau-b of the features' importances before and now",
        "",
        True,
        "Kendall (1945), Biometrika 33:239",
    ),
]

COMPARED: list[Row] = [
    (
        "change_from_baseline",
        "the metric `of` in the batch - the same metric in the baseline, both of one definition",
        "",
        None,
        "",
    ),
    ("labelled_rate", "share of the predictions whose label has arrived", "rate", True, ""),
    (
        "estimate_error",
        "the metric `of` on the rows whose labels have arrived - its estimate on the same rows without the labels",
        "",
        None,
        "",
    ),
]

_SHARES = "p, q = shares of the reference's and the current rows with a value"

DRIFT: list[Row] = [
    ("ks_statistic", "sup of |F - G|, the distribution functions of both sides", "", None, "scipy.stats.ks_2samp"),
    (
        "wasserstein_distance",
        "integral of |F - G|; effect: divided by the standard deviation of the reference",
        "target",
        None,
        "scipy.stats.wasserstein_distance",
    ),
    (
        "population_stability_index",
        f"sum of (q - p) ln(q / p), shares under 0.0001 counted as it; {_SHARES} in each value of a category, or "
        "between the deciles of the reference (a bin has its upper bound)",
        "",
        None,
        "Siddiqi (2006), Credit Risk Scorecards",
    ),
    (
        "jensen_shannon_distance",
        "root of the Jensen-Shannon divergence in bits, of the values of a category, of a number with at most 50 "
        "values that are at most 10 % of the reference's rows, or of Doane's bins of the reference and one of what "
        "lies outside; of texts: of their words",
        "",
        None,
        "scipy.spatial.distance.jensenshannon, base=2; bins as in NannyML",
    ),
    (
        "hellinger_distance",
        "root of sum of (sqrt(q) - sqrt(p))^2 / 2, in the cells of the Jensen-Shannon distance",
        "",
        None,
        "Hellinger (1909); bins as in NannyML",
    ),
    (
        "chi_squared",
        "sum of (observed - expected)^2 / expected of the 2 x k table, with Yates' correction for two values; effect: "
        "Cramér's V",
        "",
        None,
        "scipy.stats.chi2_contingency",
    ),
    ("l_infinity", f"largest |q - p| of a value; {_SHARES}", "", None, "NannyML, L-infinity distance"),
    (
        "missing_rate",
        "share of the current rows without a value; effect: its difference to the reference's",
        "rate",
        None,
        "",
    ),
    (
        "unseen_rate",
        "of the current rows that have a value, the share whose value the reference does not have "
        "(NannyML's rate is over all rows: times 1 - missing_rate)",
        "rate",
        None,
        "",
    ),
]
