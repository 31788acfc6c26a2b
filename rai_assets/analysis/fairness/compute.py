"""The fairness audit: every group and intersection measured, compared, and compared again among equals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rai_assets.analysis.fairness import charts, words
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.analysis.fairness.strata import strata
from rai_assets.data.groups import groupings
from rai_assets.metrics.conditional import measure_conditional
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.gaps import group_name
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping
from rai_assets.metrics.table import measure
from rai_assets.model.inputs import AuditInputs

COMPARED_UP_TO = 100
"""Groups up to which each is compared with the largest; of more, each only with a declared reference group."""


def compute(inputs: AuditInputs, settings: FairnessSettings) -> Findings:
    """Compare the groups of every sensitive column and of every intersection of them.

    Numbers of all rows together belong to the evaluation; here they are only drawn beside those of the groups.

    Raises:
        DeclarationError: A stratifier is no column that can be one.
    """
    found = groupings(inputs.table, inputs.contract, settings.intersections)
    if not found:
        return Findings(notes=["No column has the role `sensitive`: there are no groups to compare."])
    level, minimum_size = settings.level, settings.minimum_size
    within = [strata(inputs.table, inputs.contract, column) for column in settings.stratifiers]
    notes = [*inputs.notes, *words.about_rows(inputs.rows), *(sentence for _, sentence in within)]
    overall = measure(inputs.rows, level=level, minimum_size=minimum_size)
    compared: list[list[Number]] = []
    drawn: list[tuple[Grouping, charts.Charts]] = []
    for done, grouping in enumerate(found):
        inputs.progress("groups compared", done, len(found))
        reference, sentence = reference_group(grouping, settings.reference)
        numbers = measure(inputs.rows, grouping, reference, level=level, minimum_size=minimum_size)
        for strata_of_rows, _ in within:
            if not set(strata_of_rows.columns) & set(grouping.columns):
                numbers += measure_conditional(
                    inputs.rows, grouping, strata_of_rows, level=level, minimum_size=minimum_size
                )
        compared.append(numbers)
        notes += [sentence, *words.about_sizes(grouping, minimum_size)]
        drawn.append((grouping, charts.of_groups(grouping, numbers, overall, inputs.rows)))
    everything = [number for numbers in compared for number in numbers]
    return Findings(everything, _in_reading_order(charts.of_gaps(compared, inputs.rows), drawn), notes=notes)


def _in_reading_order(gaps: charts.Charts, drawn: list[tuple[Grouping, charts.Charts]]) -> charts.Charts:
    """The charts by names that sort as they are read: gaps, each kind over the single columns, then intersections."""
    single = [item for item in drawn if len(item[0].columns) == 1]
    crossed = [item for item in drawn if len(item[0].columns) > 1]
    kinds = dict.fromkeys(kind for _, specs in single for kind in specs)
    rest = [
        (f"{kind}_by_{words.slug(grouping.columns)}", specs[kind])
        for kind, items in [*((kind, single) for kind in kinds), *((kind, crossed) for kind in kinds)]
        for grouping, specs in items
        if kind in specs
    ]
    return {f"{place:02d}_{name}": spec for place, (name, spec) in enumerate([*gaps.items(), *rest])}


def reference_group(grouping: Grouping, declared: Mapping[str, str]) -> tuple[Mapping[str, str] | None, str]:
    """The group that each other is compared with, if any, and a sentence that says which and why."""
    name, groups = words.columns_name(grouping.columns), [dict(group) for group in grouping.groups]
    wanted = {column: declared[column] for column in grouping.columns if column in declared}
    absent = ""
    if len(wanted) == len(grouping.columns):
        if wanted in groups:
            return wanted, f"{name}: the reference group is {group_name(wanted)}, as declared."
        absent = f" The declared group {group_name(wanted)} has no rows."
    if len(groups) > COMPARED_UP_TO:
        return None, f"{name}: {len(groups):,} groups are too many to compare each with a reference group.{absent}"
    sizes = np.bincount(grouping.codes, minlength=len(groups))
    largest = groups[int(sizes.argmax())]
    return largest, f"{name}: the reference group is {group_name(largest)}, the largest ({sizes.max():,} rows).{absent}"
