"""Hourly and daily batches: which rows belong to which, over changes of the clock, late rows and corrected files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused
from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.batches.slicing import in_utc, slice_file, slot_of
from rai_assets.store.open import open_repository
from rai_assets.store.stage import Stage
from rai_assets.use_case.config import UseCase

KEYS = UseCaseKeys("meters")
COLUMNS = {
    "id": {"role": "identifier", "dtype": "integer"},
    "at": {"role": "timestamp", "dtype": "timestamp"},
    "load": {"role": "score", "dtype": "number", "threshold": 0.5},
}


class Plant:
    """A use case of logged scores with an inbox, without Dagster."""

    def __init__(self, folder: Path, batch: Any) -> None:
        use_case = UseCase.model_validate(
            {
                "name": "meters",
                "dataset": {"files": [{"path": "unused.csv"}], "columns": COLUMNS},
                "production": {"inbox": {"path": "inbox", "settle": 0}, "batch": batch},
            }
        )
        assert use_case.production is not None
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.production = Production(KEYS, use_case.dataset, use_case.production, folder, folder / "home")
        self.repository = open_repository(folder / "home", KEYS.repository)
        self._runs = 0

    def put(self, name: str, rows: Sequence[tuple[int, str]], arrived: str = "2026-06-01T12:00:00+00:00") -> None:
        lines = ["id,at,load", *(f"{identifier},{time},0.25" for identifier, time in rows)]
        path = self.inbox / name
        path.write_text("\n".join(lines) + "\n")
        at = datetime.fromisoformat(arrived).timestamp()
        os.utime(path, (at, at))

    def work(self) -> dict[str, Accepted]:
        """One look into the inbox, and the audit of every batch that it asks for."""
        with self.production.arrivals(self.repository) as ledger:
            looked = self.production.look(ledger, limit=50)
            assert looked.problems == ()
            asked = [request.key for request in ledger.pending(1000, datetime.now(UTC).timestamp())]
        return {key: self.audit(key) for key in asked}

    def audit(self, key: str) -> Accepted:
        self._runs += 1
        return self.production.audit(
            Stage.of_batch(KEYS, key, self.repository, f"{self._runs:08d}", lambda *_: None)  # type: ignore[arg-type]
        )

    def rows(self, key: str) -> list[int]:
        """Identifiers of the rows of an accepted batch."""
        batch = Batch(self.repository, self.repository.resolve("production"), key)
        return batch.table(["id"]).column(0).to_pylist()


def failed(accepted: Accepted) -> dict[str, str]:
    return {item.rule: item.sentence for item in accepted.findings if not item.passed}


def test_the_rows_of_one_file_go_to_their_days_in_utc(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-01-05T23:59:59Z"), (2, "2026-01-06T00:00:00Z"), (3, "2026-01-06T00:30:00+01:00")])
    made = plant.work()
    assert {key: item.published for key, item in made.items()} == {"2026-01-05": True, "2026-01-06": True}
    assert plant.rows("2026-01-05") == [1, 3]
    assert plant.rows("2026-01-06") == [2]
    record = made["2026-01-05"].record
    assert record.time == "2026-01-05T00:00:00+00:00"
    assert record.span == ("2026-01-05T23:30:00+00:00", "2026-01-05T23:59:59+00:00")


def test_the_rows_of_a_day_come_from_several_files(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-01-05T01:00:00Z")], "2026-01-05T02:00:00+00:00")
    plant.put("b.csv", [(2, "2026-01-05T03:00:00Z")], "2026-01-05T04:00:00+00:00")
    made = plant.work()
    assert made["2026-01-05"].record.source_rows == (1, 1)
    assert plant.rows("2026-01-05") == [1, 2]
    plant.put("c.csv", [(3, "2026-01-05T23:00:00Z"), (4, "2026-01-06T00:10:00Z")], "2026-01-06T00:20:00+00:00")
    made = plant.work()
    assert made["2026-01-05"].record.revision == 2, "late rows make their batch again"
    assert made["2026-01-06"].record.revision == 1
    assert plant.rows("2026-01-05") == [1, 2, 3]


def test_rows_of_a_further_file_come_too_late_after_the_allowed_time(tmp_path: Path) -> None:
    plant = Plant(tmp_path, {"rule": "daily", "lateness": 24})
    plant.put("a.csv", [(1, "2026-01-05T01:00:00Z")], "2026-01-05T02:00:00+00:00")
    plant.work()
    plant.put("b.csv", [(2, "2026-01-05T03:00:00Z")], "2026-01-07T00:00:01+00:00")
    late = plant.work()["2026-01-05"]
    assert not late.published
    assert "arrived on 2026-01-07 00:00 UTC, after 2026-01-07 00:00 UTC" in failed(late)["lateness"]
    assert plant.rows("2026-01-05") == [1]


def test_a_file_is_taken_back_by_one_with_the_header_alone(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("twice.csv", [(1, "2026-01-05T01:00:00Z")], "2026-01-05T02:00:00+00:00")
    plant.put("right.csv", [(1, "2026-01-05T01:00:00Z"), (2, "2026-01-05T03:00:00Z")], "2026-01-05T04:00:00+00:00")
    assert "identifiers" in failed(plant.work()["2026-01-05"])
    plant.put("twice.csv", [], "2026-01-05T05:00:00+00:00")
    made = plant.work()
    assert made.pop("2026-01-05").published
    assert plant.rows("2026-01-05") == [1, 2]
    ((key, left),) = made.items()
    assert key.startswith("undated-twice-") and not left.published


def test_files_of_long_ago_can_be_brought_in_one_by_one(tmp_path: Path) -> None:
    plant = Plant(tmp_path, {"rule": "daily", "lateness": 876_000})
    plant.put("a.csv", [(1, "1949-01-05T01:00:00Z")], "2026-01-05T02:00:00+00:00")
    plant.work()
    plant.put("b.csv", [(2, "1949-01-05T03:00:00Z")], "2026-01-06T02:00:00+00:00")
    assert plant.work()["1949-01-05"].record.source_rows == (1, 1)
    assert plant.rows("1949-01-05") == [1, 2]


def test_a_corrected_file_makes_the_days_again_that_it_had_and_has(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-01-05T01:00:00Z"), (2, "2026-01-06T01:00:00Z")])
    plant.put("b.csv", [(3, "2026-01-06T02:00:00Z")])
    plant.work()
    plant.put("a.csv", [(1, "2026-01-05T01:00:00Z"), (2, "2026-01-07T01:00:00Z")], "2026-06-02T12:00:00+00:00")
    made = plant.work()
    assert {key: item.record.revision for key, item in made.items()} == {
        "2026-01-05": 2,
        "2026-01-06": 2,
        "2026-01-07": 1,
    }
    assert plant.rows("2026-01-06") == [3]


def test_hours_are_told_apart_when_clocks_are_put_back(tmp_path: Path) -> None:
    plant = Plant(tmp_path, {"rule": "hourly", "time_zone": "Europe/Berlin"})
    plant.put("a.csv", [(1, "2025-10-26T01:59:00"), (2, "2025-10-26T02:30:00"), (3, "2025-10-26T03:00:00")])
    plant.work()
    assert plant.rows("2025-10-25t23") == [1]
    assert plant.rows("2025-10-26t00") == [2], "without an offset the first of the two hours is meant"
    assert plant.rows("2025-10-26t02") == [3]
    plant.put("b.csv", [(4, "2025-10-26T02:45:00+01:00"), (5, "2025-10-26T02:45:00+01:00")])
    plant.work()
    assert plant.rows("2025-10-26t01") == [4, 5]
    plant.put("c.csv", [(6, "2025-10-26T02:45:00+02:00")])
    assert "dtypes" in failed(plant.work()["2025-10-26t00"]), "times of one batch have an offset, or none has"


def test_a_time_that_the_clocks_leave_out_is_refused(tmp_path: Path) -> None:
    plant = Plant(tmp_path, {"rule": "daily", "time_zone": "Europe/Berlin"})
    plant.put("a.csv", [(1, "2026-03-29T01:59:00"), (2, "2026-03-29T02:30:00"), (3, "2026-03-29T03:00:00")])
    made = plant.work()
    (undated,) = (item for key, item in made.items() if key.startswith("undated-a-"))
    assert failed(undated) == {
        "event_time": "column 'at': 2026-03-29 02:30:00 is left out by the clocks of Europe/Berlin (1 row)"
    }
    assert plant.rows("2026-03-29") == [1, 3]


def test_times_without_offset_are_refused_without_a_zone(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-01-05T01:00:00")])
    ((key, refused),) = plant.work().items()
    assert key.startswith("undated-a-")
    assert "have no offset" in failed(refused)["event_time"]
    assert "time_zone" in failed(refused)["event_time"]


def test_a_time_in_the_future_is_refused(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-06-01T12:04:00Z"), (2, "2026-06-01T12:06:00Z")], "2026-06-01T12:00:00+00:00")
    refused = plant.work()["2026-06-01"]
    assert (
        "2026-06-01 12:06 UTC is later than its file, of 2026-06-01 12:00 UTC (1 row)"
        in (failed(refused)["event_time"])
    )


@pytest.mark.parametrize("text", ["yesterday", ""])
def test_a_time_that_is_none_does_not_hold_up_the_others(tmp_path: Path, text: str) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [(1, "2026-01-05T01:00:00Z"), (2, text)])
    made = plant.work()
    assert made.pop("2026-01-05").published
    ((_, undated),) = made.items()
    assert set(failed(undated)) >= ({"dtypes"} if text else {"missing"})


def test_a_file_that_cannot_be_read_is_one_batch(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "daily")
    plant.put("a.csv", [])
    (plant.inbox / "b.csv").write_bytes(b"id,at,load\n\xff\xfe,1,2\n")
    made = plant.work()
    assert sorted(key[:10] for key in made) == ["undated-a-", "undated-b-"]
    assert all("readable" in failed(item) for item in made.values())


def test_batches_by_arrival_time(tmp_path: Path) -> None:
    plant = Plant(tmp_path, {"rule": "hourly", "by": "arrival time"})
    plant.put("a.csv", [(1, "2020-01-01T00:00:00Z")], "2026-01-05T13:59:59+00:00")
    plant.put("b.csv", [(2, "2020-01-01T00:00:00Z")], "2026-01-05T14:00:00+00:00")
    assert set(plant.work()) == {"2026-01-05t13", "2026-01-05t14"}
    plant.put("a.csv", [(1, "2020-01-01T00:00:00Z"), (3, "2020-01-01T00:00:00Z")], "2026-01-05T15:00:00+00:00")
    assert set(plant.work()) == {"2026-01-05t13"}, "a corrected file stays where it arrived first"
    assert plant.rows("2026-01-05t13") == [1, 3]


@given(
    st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2035-01-01")),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
)
def test_local_times_are_those_of_the_standard_library(time: datetime, zone: str) -> None:
    (found,) = in_utc(pa.array([time], pa.timestamp("us")), zone).to_pylist()
    local = time.replace(tzinfo=ZoneInfo(zone))
    expected = local.astimezone(UTC)
    if expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != time:
        assert found is None
    else:
        assert found == expected


def test_a_key_names_its_hour_or_day(tmp_path: Path) -> None:
    hourly = Plant(tmp_path, "hourly").production.settings.batch
    assert slot_of(hourly, "2026-01-05t13") == (
        datetime(2026, 1, 5, 13, tzinfo=UTC),
        datetime(2026, 1, 5, 13, tzinfo=UTC) + timedelta(hours=1),
    )
    assert slot_of(hourly, "2026-01-05") is None
    assert slot_of(hourly, "undated-a-12345678") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "id,load\n1,0.5\n",
            "has no column 'at', by which its rows are batched\n  Fix: write the file with that column",
        ),
        ("id,at,load\n", "has no rows\n  Fix: write it again, with rows"),
    ],
)
def test_a_file_whose_rows_have_no_time_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    settings = DatasetSettings.model_validate({"files": [{"path": "a.csv"}], "columns": COLUMNS})
    rule = BatchSettings(rule="daily", time_zone="UTC")
    with pytest.raises(InputRefused, match=said):
        slice_file(tmp_path, settings, "at", rule, "undated-a", tmp_path / "sliced.parquet")
