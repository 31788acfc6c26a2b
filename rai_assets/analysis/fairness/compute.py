"""The fairness audit: every group and intersection measured, compared, and compared again among equals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rai_assets.analysis.fairness import charts, words
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.analysis.fairness.strata import strata
from rai_assets.data.groups import groupings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.gaps import group_name
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping
from rai_assets.metrics.table import measure, measure_conditional_gaps, measure_groups
from rai_assets.model.inputs import AuditInputs


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
    overall = measure_groups(inputs.rows, None, level=level, minimum_size=minimum_size)
    compared: list[list[Number]] = []
    drawn: charts.Charts = {}
    for done, grouping in enumerate(found):
        inputs.progress("groups compared", done, len(found))
        reference, sentence = reference_group(grouping, settings.reference)
        numbers = measure(inputs.rows, grouping, reference, level=level, minimum_size=minimum_size)
        for strata_of_rows, _ in within:
            if not set(strata_of_rows.columns) & set(grouping.columns):
                numbers += measure_conditional_gaps(
                    inputs.rows, grouping, strata_of_rows, level=level, minimum_size=minimum_size
                )
        compared.append(numbers)
        notes += [sentence, *words.about_sizes(grouping, minimum_size)]
        name = f"{done + 1:02d}_{words.slug(grouping.columns)}"
        specs = charts.of_groups(grouping, numbers, overall, inputs.rows)
        drawn |= {f"{name}_{what}": spec for what, spec in specs.items()}
    everything = [number for numbers in compared for number in numbers]
    return Findings(everything, charts.of_gaps(compared, inputs.rows) | drawn, notes=notes)


def reference_group(grouping: Grouping, declared: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    """The group that the others are compared with, and a sentence that says which and why."""
    sizes = np.bincount(grouping.codes, minlength=len(grouping.groups))
    chosen, why = grouping.groups[int(sizes.argmax())], f"the largest group ({sizes.max():,} rows)"
    if all(column in declared for column in grouping.columns):
        wanted = {column: declared[column] for column in grouping.columns}
        if wanted in [dict(group) for group in grouping.groups]:
            chosen, why = wanted, "as declared"
        else:
            why += f", as the declared group {group_name(wanted)} has no rows"
    return chosen, f"{words.columns_name(grouping.columns)}: the reference group is {group_name(chosen)}, {why}."
