"""The report on production: made from what was found of each batch, asked for as a job or by `rai report`."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from rai_assets.charts.text import decimal
from rai_assets.errors import UsageError
from rai_assets.monitoring.profiles.statistics import TableTally
from rai_assets.monitoring.windows.window import Seen, Window, read_window
from rai_assets.report.production import production_report_of
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.reading import write_production_report
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.monitoring.batches.test_questions import shifted, without_target
from rai_assets_tests.report.page import parse
from rai_assets_tests.use_case.conftest import loan_rows


def all_of(window: Window, store: VersionedRepository) -> tuple[Seen, ...]:
    """The batches of a window with all that was found of each."""
    return tuple(
        Seen(
            item.record,
            {asset: results.load(store, window.commit, asset, folder=f"batches/{item.key}/") for asset in item.results},
        )
        for item in window.batches
    )


def sections(window: Window) -> list[object]:
    report = production_report_of(
        window, {"income": 0.5}, 0.05, use_case="loans", title="", purpose="", owners=(), reference="",
        profile=TableTally(),
    )  # fmt: skip
    return [report.sections, report.alarms, report.notes, report.definitions, report.asked]


def test_a_window_with_a_changed_and_a_refused_batch(
    daemon: Daemon, inbox: Desk, store: VersionedRepository, declared: Declared, tmp_path: Path
) -> None:
    from whylogs.core import DatasetProfileView

    with pytest.raises(UsageError, match="no batch of production"):
        write_production_report(declared, tmp_path / "none.html")
    with pytest.raises(UsageError, match="the first day, 2026-03-01, is after the last, 2026-01-31"):
        write_production_report(
            declared, tmp_path / "none.html", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
        )
    calm, poor = without_target(loan_rows(300, seed=3)), shifted(300)
    inbox.put("calm.csv", calm, age=3 * 86_400)
    inbox.put("poor.csv", poor, age=2 * 86_400)
    inbox.put("torn.csv", "weekday,sex\nmon,F\n", age=86_400)
    assert daemon.tick() == {"calm": True, "poor": True, "torn": False}

    job = daemon.definitions.resolve_job_def("loans_monitoring_report")
    done = job.execute_in_process(instance=daemon.instance)
    (event,) = done.get_asset_materialization_events()
    said = event.step_materialization_data.materialization.metadata
    assert said["quarantined"].value == 1.0
    assert said["batches"].value == 2.0
    assert "income has changed" in str(said["what to do"].value)
    stored = results.load(store, "results-production", "monitoring_report", folder=f"windows/{said['window'].value}/")
    assert stored.facts["outcome"] == (
        "1 of 2 batches raised alarms that chance does not explain and 1 is in quarantine."
    )

    made = write_production_report(declared, tmp_path / "report.html")
    assert json.loads(json.dumps(made.result.facts)) == stored.facts
    page = parse((tmp_path / "report.html").read_text())
    assert stored.files["report.html"].decode().count("<img") == len(page.all("img")) > 4
    titles = [item.text for item in page.one("ol", class_="rulings").all("h3")]
    assert titles[0] == "Batch torn is in quarantine"
    assert "income has changed" in titles
    rows = [item.text for item in page.one(id="s-arrivals").all("tr")]
    assert any(item.startswith("calm 300 accepted") for item in rows)
    assert any(item.startswith("torn in quarantine") for item in rows)
    assert "No labels have arrived" in page.one(id="notes").text

    # What the columns held in all, though no row was read again.
    held = {item.text.split()[0]: item.text.split() for item in page.one(id="s-data-profile").all("tr")}
    incomes = [line.split(",")[1] for text in (calm, poor) for line in text.splitlines()[1:]]
    every = np.array(incomes, float)
    middle = np.quantile(every, 0.5, method="inverted_cdf"), every.mean()
    shown = [decimal(value) for value in (every.min(), *middle, every.max())]
    assert held["income"] == ["income", "number", "600", "0.0%", str(len(set(incomes))), *shown]
    assert held["weekday"][2:5] == ["600", "0.0%", "3"]

    # whylogs reads the window as one profile.
    write_production_report(declared, tmp_path / "report.html", whylogs=tmp_path / "window.bin")
    assert (tmp_path / "window.bin").read_bytes() == stored.files["profile.bin"]
    assert set(DatasetProfileView.read(str(tmp_path / "window.bin")).to_pandas()["counts/n"]) == {600}

    # Of each batch so much is kept as the report shows: all that was found of them gives the same.
    with production_of(declared).arrivals(store) as arrivals:
        kept = read_window(store, arrivals, production_of(declared).settings.batch)
    assert "drift" in kept.batches[0].results
    assert kept.batches[0].results["drift"].facts["rows"][0].keys() < all_of(kept, store)[0].rows_of("drift")[0].keys()
    assert sections(kept) == sections(replace(kept, batches=all_of(kept, store)))

    # The same batches: the same report, and no new commit.
    before = store.resolve("results-production")
    assert job.execute_in_process(instance=daemon.instance).success
    assert store.resolve("results-production") == before
