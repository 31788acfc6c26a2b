"""The report on production: what it says of requirements, of what was logged, and of a promotion in its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.profiles.statistics import TableTally
from rai_assets.monitoring.windows.window import Seen, Window
from rai_assets.provenance import Provenance
from rai_assets.report.html import render_production
from rai_assets.report.production import ProductionReport, production_report_of
from rai_assets.store.results import Result


def seen(key: str, **facts: dict[str, Any]) -> Seen:
    provenance = Provenance("loans", "production", "c")
    record = BatchRecord(key, 1, 1, 100, (), (), "2026-01-01T00:00:00+00:00", None, None)
    return Seen(record, {asset: Result(asset, provenance, facts=said) for asset, said in facts.items()})


def report_of(*batches: Seen, **more: Any) -> ProductionReport:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), batches, **more)
    return production_report_of(
        window,
        {},
        0.05,
        use_case="loans",
        title="Loans",
        purpose="",
        owners=(),
        reference="test rows",
        profile=TableTally(),
    )


def test_the_days_of_batches_and_of_their_rows_are_told_apart() -> None:
    batch = seen("2025-12")
    spanning = ("2025-11-30T23:30:00-01:00", "2025-12-31T22:00:00+00:00")
    batch = replace(batch, record=replace(batch.record, span=spanning))
    page = render_production(report_of(batch, seen("undated")))
    assert "<dt>Batches of</dt><dd>2026-01-01 to 2026-01-31, UTC, by the last change of their files</dd>" in page
    assert "<dt>Rows of</dt><dd>2025-12-01 to 2025-12-31, UTC</dd>" in page
    assert "Rows of</dt>" not in render_production(report_of(seen("undated")))
    assert "UTC, by the day of their rows" in render_production(report_of(batch, dated="the day of their rows"))


def of_reference(digest: str) -> dict[str, Any]:
    return {"rows": [], "reference": {"commit": "0123456789abcdef", "split": "test", "digest": digest}}


def test_batches_of_two_references_are_told_apart() -> None:
    old, new = of_reference("a" * 64), of_reference("b" * 64)
    (said,) = [note for note in report_of(seen("one", drift=old), seen("two", drift=new)).notes if "replaced" in note]
    assert "one with test rows of commit 0123456789ab, reference aaaaaaaa; two with" in said
    assert not [note for note in report_of(seen("one", drift=old), seen("two", drift=old)).notes if "replaced" in note]


def test_what_was_logged_and_what_was_judged_stand_in_tables() -> None:
    logged = [{"column": "p", "rows": 80, "share": 0.25, "largest": 0.5, "sentence": ""}]
    verdicts = [{"id": "R1", "verdict": "fail", "sentence": "Too low.", "level": 0.95}]
    report = report_of(
        seen("one", batch_predictions={"logged": logged}, realized_performance={"rows": [], "verdicts": verdicts}),
        seen("two", batch_predictions={"logged": []}),
        early_labels=3,
    )
    assert report.asked == 1, "predictions alone answer no question"
    tables = {table.title: table.rows for section in report.sections for table in section.tables}
    assert tables["Logged predictions, by which batches are measured"] == (("one", "p", 80, "25.00%", "0.500"),)
    assert tables["On the labels that have arrived, in batches"] == (("R1", 0, 1, 0, "Too low."),)
    page = render_production(report)
    assert "3 labels have come for rows that have not" in page
    assert "Requirement R1 does not hold" in page
