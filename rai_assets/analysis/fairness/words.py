"""What a reader is told beside the numbers of groups."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rai_assets.metrics.estimates import SMALL
from rai_assets.metrics.gaps import group_name
from rai_assets.metrics.rows import Grouping, Rows

_NAMED = 5


def columns_name(columns: Sequence[str]) -> str:
    """Sensitive columns for people: `sex × origin`."""
    return " × ".join(columns)


def slug(columns: Sequence[str]) -> str:
    """Sensitive columns as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join(columns).lower()).strip("_")[:60] or "groups"


def about_rows(rows: Rows) -> list[str]:
    """What cannot be measured on these rows, and why."""
    notes = []
    if rows.target is None:
        notes.append("There is no target: what was decided is compared between groups, not whether it was right.")
    if rows.task != "regression" and rows.decision is None:
        notes.append("There are no decisions: scores are compared between groups, not who is selected.")
    if rows.score is not None and rows.task != "regression" and not rows.probability:
        notes.append("The score is not a probability: its calibration is undefined.")
    return notes


def about_sizes(grouping: Grouping, minimum_size: int) -> list[str]:
    """Which groups are too few people to show, and which are marked small."""
    sizes = np.bincount(grouping.codes, minlength=len(grouping.groups))
    name = columns_name(grouping.columns)
    notes = []
    for kind, codes in (
        (f"fewer than {minimum_size} rows: no number but their count is shown", np.flatnonzero(sizes < minimum_size)),
        (f"fewer than {SMALL} rows: shown and marked small", np.flatnonzero((sizes >= minimum_size) & (sizes < SMALL))),
    ):
        if len(codes):
            named = [f"{group_name(grouping.groups[code])} ({sizes[code]})" for code in codes[:_NAMED]]
            more = f" and {len(codes) - _NAMED:,} more" if len(codes) > _NAMED else ""
            notes.append(f"{name}: {len(codes):,} of {len(sizes):,} groups have {kind}. {'; '.join(named)}{more}.")
    return notes
