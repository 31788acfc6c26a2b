"""Batches whose rows name pictures and recordings: what is stored, what is refused, and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.backfill import audit_together, in_range, take_everything
from rai_assets.monitoring.batches.batch import Batch, BatchRecord
from rai_assets.monitoring.batches.erasure import erase_from_batches
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.quarantine import accept_contract, let_pass
from rai_assets.monitoring.batches.removal import remove_old
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.media.making import jpeg, png, wav

COLUMNS = {
    "file": {"role": "identifier", "dtype": "text"},
    "site": {"role": "sensitive", "dtype": "category"},
    "y": {"role": "target", "dtype": "category", "allowed": ["u", "v"], "positive": "u"},
}


class Clinic:
    """A use case of pictures with an inbox, and what became of its batches."""

    def __init__(self, folder: Path, dataset: Mapping[str, Any] | None = None, **production: Any) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.dataset = DatasetSettings.model_validate(
            {
                "files": [{"path": "labels.csv"}],
                "media": {"folder": "pictures", "path": "file"},
                "columns": COLUMNS,
                **(dataset or {}),
            }
        )
        settings = {"inbox": {"path": "inbox", "settle": 0}, **production}
        keys = UseCaseKeys("clinic", ())
        self.repository: VersionedRepository = open_repository(folder / ".rai", keys.repository)
        self.production = Production(
            keys, self.dataset, ProductionSettings.model_validate(settings), folder, folder / ".rai"
        )

    def put(self, path: str, content: bytes | str) -> None:
        place = self.inbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def backfill(self) -> dict[str, Accepted]:
        """Take what is there, audit it, and publish it."""
        with self.production.arrivals(self.repository) as arrivals:
            problems, _ = take_everything(self.production, arrivals, lambda *_: None)
            asked = in_range(self.production, arrivals, None, None)
            groups = audit_together(self.production, self.repository, arrivals, asked, lambda *_: None)
            found = [item for group in groups for item in group]
        assert problems == [] and not [item for item in found if isinstance(item, str)], found
        return {item.record.key: item for item in found if isinstance(item, Accepted)}

    def said(self, key: str) -> dict[str, str]:
        """{rule: outcome} of the rules that a batch breaks."""
        return {item.rule: item.sentence for item in self.backfill()[key].findings if item.blocking and not item.passed}

    def table(self, key: str) -> pa.Table:
        return Batch(self.repository, self.repository.resolve("production"), key).table()

    def stored(self, key: str, commit: str = "production") -> dict[str, bytes]:
        place, found = f"batches/{key}/files/", {}
        for item in self.repository.list_objects(commit, place):
            with self.repository.open(commit, item.path) as stream:
                found[item.path.removeprefix(place)] = stream.read()
        return found


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Clinic]:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    return lambda *given, **named: Clinic(tmp_path, *given, **named)


def test_the_facts_of_a_batch_are_those_of_the_data_set(clinic: Callable[..., Clinic]) -> None:
    place = clinic()
    contents = {"m/a.png": png(4, 3), "m/b.jpg": jpeg(), "m/c.wav": wav(), "m/d.txt": "Grüße".encode()}
    rows = [f"{name},{'nord' if at % 2 else 'süd'},u" for at, name in enumerate(contents)]
    table = "\n".join(["file,site,y", *rows, ""])
    (place.folder / "labels.csv").write_text(table)
    for name, content in contents.items():
        path = place.folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        place.put(name, content)
    place.put("week.csv", table)
    ingest(place.dataset, place.folder, place.repository, "main", run_id="r1")
    found = place.backfill()["week"]
    assert found.published
    assert place.table("week").to_pylist() == Dataset(place.repository, "main").table().to_pylist()
    assert place.table("week")["media_width"].to_pylist()[0] == 4
    assert place.stored("week") == contents
    record = BatchRecord.read(place.repository, "production", "week")
    assert record is not None
    assert [item.path for item in record.sources] == ["week.csv", *contents]
    assert [item.path for item in record.tables] == ["week.csv"]
    assert {"media_files", "media_readable"} <= {item.rule for item in found.findings}
    assert all(item.passed for item in found.findings), "a picture lacks no duration"


def test_bad_pictures_put_their_batch_into_quarantine_and_are_named(
    clinic: Callable[..., Clinic], tmp_path: Path
) -> None:
    place = clinic()
    (tmp_path / "secret.png").write_bytes(png(9, 9))
    place.put("a.png", png())
    place.put("cut.png", png(40, 40)[:-12])
    place.put("sound.png", wav())
    place.put("_dark.png", png())
    tables = {
        "good": ["a.png"],
        "missing": ["a.png", "gone/b.png"],
        "truncated": ["cut.png"],
        "misnamed": ["sound.png"],
        "outside": ["../secret.png", f"{tmp_path}/secret.png", "good.csv", "_dark.png"],
        "twice": ["a.png", "a.png"],
        "nameless": [""],
    }
    for key, names in tables.items():
        place.put(f"{key}.csv", "\n".join(["file,site,y", *(f"{name},nord," for name in names), ""]))
    found = place.backfill()
    assert {key for key, item in found.items() if item.published} == {"good"}
    reasons = {key: str(found[key].reason) for key in tables}
    assert "missing.csv, row 2 (line 3), column 'file': 'gone/b.png' is not in the inbox" in reasons["missing"]
    assert "'cut.png' ends too early for image/png" in reasons["truncated"]
    assert "'sound.png' is named like image and holds audio/wav" in reasons["misnamed"]
    assert "'../secret.png' is no path inside the media folder" in reasons["outside"]
    assert "secret.png' is no path inside the media folder: it starts or ends with a slash" in reasons["outside"]
    assert "'good.csv' is not in the inbox, or is a link or a table there" in reasons["outside"]
    assert "'_dark.png' is not taken: names that begin with '.' or '_'" in reasons["outside"]
    assert "'a.png' is the file of row 1 already" in reasons["twice"]
    assert "names no file" in reasons["nameless"]
    assert place.stored("missing", found["missing"].branch) == {"a.png": png()}, "kept to be looked at"
    assert not place.stored("outside", found["outside"].branch)

    place.put("gone/b.png", png(5, 5))
    assert place.backfill()["missing"].published
    assert place.stored("missing") == {"a.png": png(), "gone/b.png": png(5, 5)}


def test_a_corrected_picture_is_a_new_revision(clinic: Callable[..., Clinic]) -> None:
    place = clinic()
    place.put("week.csv", "file,site\na.png,nord\nb.png,nord\n")
    place.put("a.png", png(grey=1))
    place.put("b.png", png())
    first = place.backfill()["week"]
    place.put("a.png", png(8, 8))
    second = place.backfill()["week"]
    assert (first.record.revision, second.record.revision) == (1, 2)
    assert place.table("week")["media_width"].to_pylist() == [8, 4]
    assert place.stored("week") == {"a.png": png(8, 8), "b.png": png()}
    assert place.stored("week", first.commit)["a.png"] == png(grey=1), "history has it still"
    assert not place.backfill()["week"].changed
    place.put("week.csv", "file,site\nb.png,nord\n")
    assert place.backfill()["week"].record.revision == 3
    assert place.stored("week") == {"b.png": png()}


def test_rows_of_several_days_take_their_pictures_with_them(clinic: Callable[..., Clinic]) -> None:
    columns = {**COLUMNS, "taken": {"role": "timestamp", "dtype": "timestamp"}}
    place = clinic({"columns": columns}, batch={"rule": "daily", "time_zone": "UTC"})
    for name in "abc":
        place.put(f"{name}.png", png(grey=ord(name)))
    place.put("one.csv", "file,site,taken\na.png,nord,2026-01-05 10:00\nb.png,nord,2026-01-06 10:00\n")
    place.put("two.csv", "file,site,taken\nc.png,nord,2026-01-06 11:00\n")
    found = place.backfill()
    assert {key: sorted(place.stored(key)) for key in found} == {
        "2026-01-05": ["a.png"],
        "2026-01-06": ["b.png", "c.png"],
    }
    place.put("a.png", png(7, 7))
    assert {key: item.record.revision for key, item in place.backfill().items()} == {"2026-01-05": 2, "2026-01-06": 1}


def test_a_lost_ledger_knows_which_table_names_which_picture(clinic: Callable[..., Clinic]) -> None:
    place = clinic(batch={"rule": "daily", "by": "arrival time"})
    for name in ("one", "two"):
        place.put(f"{name}.csv", f"file,site\n{name}.png,nord\n")
        place.put(f"{name}.png", png())
    (key,) = place.backfill()
    for path in (place.folder / ".rai" / "production" / "clinic").glob("arrivals.sqlite*"):
        path.unlink()
    assert not place.backfill()[key].changed
    place.put("one.csv", "file,site\nthree.png,nord\n")
    place.put("three.png", png())
    place.backfill()
    assert sorted(place.stored(key)) == ["three.png", "two.png"]


def test_the_folder_of_a_picture_is_its_class_in_the_data_set_only(clinic: Callable[..., Clinic]) -> None:
    place = clinic({"media": {"folder": "pictures", "path": "file", "label": "y"}})
    place.put("open.csv", "file,site\nweek/a.png,nord\n")
    place.put("known.csv", "file,site,y\nweek/a.png,nord,v\n")
    place.put("week/a.png", png())
    assert all(item.published for item in place.backfill().values())
    assert [place.table(key)["y"].to_pylist() for key in ("open", "known")] == [[None], ["v"]]


def test_people_accept_a_new_column_and_let_a_batch_pass(clinic: Callable[..., Clinic]) -> None:
    place = clinic()
    place.put("a.png", png())
    place.put("new.csv", "file,site,room\na.png,nord,3\n")
    place.put("short.csv", "file,site\na.png,nord\nb.png,nord\n")
    assert not any(item.published for item in place.backfill().values())
    let_pass(place.production, place.repository, "short", by="ann", reason="b was never taken")
    assert place.backfill()["short"].published
    assert place.table("short")["media_width"].to_pylist() == [4, None]
    accepted = accept_contract(place.production, place.repository, by="ann", reason="rooms", batch="new")
    assert accepted.differences == ("'room' is new: integer",)
    assert place.backfill()["new"].published


def test_labels_that_come_later_name_pictures_too(clinic: Callable[..., Clinic]) -> None:
    place = clinic(labels={"path": "outcomes", "settle": 0})
    (place.folder / "outcomes").mkdir()
    place.put("a.png", png())
    place.put("week.csv", "file,site\na.png,nord\n")
    place.backfill()
    (place.folder / "outcomes" / "labels.csv").write_text("file,y\na.png,u\n")
    with place.production.label_inbox.arrivals() as labels:
        looked = place.production.label_inbox.look(place.repository, labels, limit=10)
        looked = place.production.label_inbox.look(place.repository, labels, limit=10) if not looked.taken else looked
    assert looked.problems == ()
    assert list(place.repository.list_objects("production", "batches/week/labels.parquet"))


def test_a_table_that_names_files_strangely_is_refused_and_holds_up_no_other(clinic: Callable[..., Clinic]) -> None:
    place = clinic()
    strange: dict[str, pa.Array] = {
        "lists": pa.array([["a.png"]]),
        "bytes": pa.array([b"a.png\xff"]),
        "numbers": pa.array([1.5]),
        "long": pa.array(["x" * 5000 + ".png"]),
        "deep": pa.array(["/".join(["d" * 200] * 6) + "/a.png"]),
    }
    for name, column in strange.items():
        parquet.write_table(pa.table({"file": column, "site": ["nord"]}), place.inbox / f"{name}.parquet")
    place.put("none.csv", "site\nnord\n")
    place.put("facts.csv", "file,site,media_width\na.png,nord,4\n")
    place.put("a.png", png())
    place.put("good.csv", "file,site\na.png,nord\n")
    found = place.backfill()
    assert {key for key, item in found.items() if item.published} == {"good"}
    assert "no column 'file' that names the files" in str(found["none"].reason)
    assert "the column 'media_width' is made of the media files" in str(found["facts"].reason)


def test_pictures_on_a_branch_of_the_store(clinic: Callable[..., Clinic]) -> None:
    place = clinic(inbox={"branch": "incoming", "prefix": "clinic"})
    place.repository.create_branch("incoming", "main")
    week = b"file,site\np/a.png,nord\n../p/b.png,nord\n"
    changes = ChangeSet().put("clinic/week.csv", week).put("clinic/p/a.png", png()).put("p/b.png", png())
    place.repository.commit("incoming", changes, "a week")
    assert "'../p/b.png' is no path inside" in str(place.backfill()["week"].reason)
    place.repository.commit("incoming", ChangeSet().put("clinic/week.csv", week[: week.index(b"..")]), "mended")
    assert place.backfill()["week"].published
    assert place.stored("week") == {"p/a.png": png()}


def test_a_hundred_pictures_are_taken_in_one_look(clinic: Callable[..., Clinic]) -> None:
    place = clinic()
    names = [f"p/{at:03}.png" for at in range(100)]
    for at, name in enumerate(names):
        place.put(name, png(grey=at))
    place.put("week.csv", "\n".join(["file,site", *(f"{name},nord" for name in names), ""]))
    began = time.process_time()
    assert place.backfill()["week"].published
    assert len(place.stored("week")) == 100
    assert time.process_time() - began < 20


def test_a_persons_pictures_are_erased_and_old_ones_removed_with_their_rows(clinic: Callable[..., Clinic]) -> None:
    columns = {**COLUMNS, "patient": {"role": "identifier", "dtype": "text"}}
    place = clinic({"columns": columns})
    place.put("week.csv", "file,site,patient\na.png,nord,p1\nb.png,nord,p2\n")
    place.put("a.png", png())
    place.put("b.png", png(7, 7))
    place.backfill()
    assert erase_from_batches(place.repository, ["patient", "file"], "p1", BatchSettings(), {}, "file") == {"week": 1}
    assert place.stored("week") == {"b.png": png(7, 7)}
    assert place.table("week")["patient"].to_pylist() == ["p2"]
    (removed,) = remove_old(place.repository, {"batches": timedelta(days=1)}, datetime.now(UTC) + timedelta(days=2))
    assert removed.batches == 1
    assert [item.path for item in place.repository.list_objects("production", "batches/")] == [
        "batches/week/batch.json"
    ]
