"""The checks that questions about a batch answer: their names, and what holds when one passes."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS_ALONE, COLUMNS_TOGETHER = "columns_unchanged", "columns_together_unchanged"
GAPS_NOT_WIDER = "gaps_not_wider"
NOT_LOWER = "performance_not_lower"
AS_AUDITED, ESTIMATES_HELD = "not_below_audit", "estimates_held"
SAME_REASONS = "same_reasons"
EVERY_ROW_PREDICTED = "every_row_predicted"

ANSWERED: Mapping[str, Mapping[str, str]] = {
    "batch_predictions": {
        EVERY_ROW_PREDICTED: "Every row has a prediction: of the serving model, or one that was logged.",
    },
    "drift": {
        COLUMNS_ALONE: "No column has changed beyond chance.",
        COLUMNS_TOGETHER: "The columns together have not changed beyond chance.",
    },
    "fairness_drift": {GAPS_NOT_WIDER: "No gap between groups is seen to have grown."},
    "attribution_drift": {
        SAME_REASONS: "The order of the columns' importances agrees with that of the champion's audit.",
    },
    "estimated_performance": {
        NOT_LOWER: "The estimated performance is not below that on the calibration rows.",
    },
    "realized_performance": {
        AS_AUDITED: "The performance that the labels show is not below that in the audit beyond chance.",
        ESTIMATES_HELD: "What the labels show lies within the intervals of the estimates.",
    },
}
"""{asset: {check: what holds when it passes}}; one that fails is a warning."""
JUDGED_AGAIN = ("evaluation", "fairness_audit")
"""Assets whose requirements are judged on the labels of every batch, too, by `realized_performance`."""
