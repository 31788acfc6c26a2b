"""From stored results to what a report shows: nothing of single people, and the names that people know."""

from __future__ import annotations

import pyarrow as pa

from rai_assets.provenance import Provenance
from rai_assets.report.assemble import audit_of
from rai_assets.report.audit import Section
from rai_assets.store.results import Result

PINNED = Provenance("loans", "main", "ab" * 20)


def section(tables: dict[str, pa.Table], single_rows: list[str]) -> Section:
    dataset = Result("dataset", PINNED, facts={"rows": 2, "columns": [], "files": {}})
    found = Result(
        "explanations",
        PINNED,
        charts={"importance_0": {"title": "all"}, "example_low": {"title": "one"}},
        tables=tables,
        facts={"single_rows": single_rows},
    )
    audit = audit_of(
        title="Loans", purpose="", owners=(), provenance=PINNED, results_commit="cd" * 20, requirements=(),
        dataset=dataset, model=None, analyses=[found],
    )  # fmt: skip
    return audit.sections[0]


def test_what_tells_of_single_rows_is_left_out_however_small_it_is() -> None:
    one_row = pa.table({"effect of age": [0.1], "output": [0.7]})
    shown = section({"attributions_0": one_row, "other": one_row}, ["attributions_0", "example_low"])
    assert [table.title for table in shown.tables] == ["Other"]
    assert list(shown.charts) == ["importance_0"]


def test_measures_in_tables_have_their_registered_names() -> None:
    table = pa.table({"threshold": [0.5], "true_positive_rate": [0.9], "f1": [0.8], "mean_score": [0.4]})
    (shown,) = section({"threshold_choice": table}, []).tables
    assert shown.title == "Threshold choice"
    assert shown.columns == ("Threshold", "True positive rate", "F1", "Mean score")
