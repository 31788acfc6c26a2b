"""A data set of files: every file stored unchanged beside the table, only what is missing brought."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.data.dataset import FILES, MANIFEST, Dataset
from rai_assets.data.ingest import audit_branch, audit_commit, stands_alone
from rai_assets.data.media import folder as media_folder
from rai_assets.data.media import upload as media_upload
from rai_assets.data.media.settings import FACTS
from rai_assets.data.settings import DatasetSettings
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.media import making
from rai_assets_tests.data.media.conftest import COLUMNS, CONTENTS, Declare, Store, branches, content, said, stored


def test_every_file_is_stored_unchanged_with_a_manifest_and_columns(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    found = store(declare())
    assert found.accepted
    assert branches(repository) == ["main"]
    assert stored(repository) == CONTENTS
    table = Dataset(repository, "main").table()
    assert table.column_names == ["file", "y", *FACTS]
    assert table["media_kind"].to_pylist() == ["image", "audio", "text", "image"]
    assert table["media_bytes"].to_pylist() == [len(content) for content in CONTENTS.values()]
    assert table["media_characters"].to_pylist() == [None, None, 5, None]
    manifest = parquet.read_table(pa.BufferReader(content(repository, "main", MANIFEST)))
    assert manifest["path"].to_pylist() == list(CONTENTS)
    assert manifest.drop(["path"]).to_pydict() == table.select(list(FACTS)).to_pydict()
    media = Dataset(repository, "main").media
    assert media is not None
    assert media["kinds"] == {"audio": 1, "image": 2, "text": 1}
    assert (media["files"], media["bytes"]) == (4, sum(map(len, CONTENTS.values())))


def test_the_same_files_again_are_neither_read_nor_stored(
    declare: Declare, store: Store, repository: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = declare()
    first = store(settings)

    def never(*_: object) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(media_folder, "examine", never)
    again = store(settings)
    assert (again.commit, again.changed) == (first.commit, False)


def test_a_changed_file_is_noticed_though_its_size_and_its_time_are_the_same(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path
) -> None:
    settings = declare()
    store(settings)
    path = tmp_path / "media" / "b" / "d.txt"
    before = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert store(settings).changed
    assert stored(repository)["b/d.txt"] == path.read_bytes()


def test_only_what_changed_is_stored_and_what_no_row_names_goes(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    before = store(declare()).commit
    contents = {"a.png": making.png(grey=9), "b/c.wav": CONTENTS["b/c.wav"], "b/d.txt/new.txt": b"in a folder now"}
    declare({})  # b/d.txt gives way to a folder of that name
    (Path(os.environ["RAI_HOME"]).parent / "media" / "b" / "d.txt").unlink()
    found = store(declare(contents))
    assert found.accepted, said(found)
    assert stored(repository) == contents
    assert branches(repository) == ["main"]
    changes = {change.path.removeprefix(FILES): change.kind for change in repository.diff(before, "main", FILES)}
    assert changes == {"a.png": "changed", "b/d.txt": "removed", "b/d.txt/new.txt": "added", "e.jpg": "removed"}


def test_an_interrupted_upload_goes_on_where_it_ended(
    declare: Declare, store: Store, repository: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_upload, "_PART_FILES", 1)
    puts: list[str] = []
    commit = type(repository).commit

    def dying(self: Any, branch: str, changes: ChangeSet, *arguments: Any, **more: Any) -> Any:
        if len(puts) == 2 and FILES + "b/d.txt" in changes.puts:
            raise KeyboardInterrupt
        puts.extend(path for path in changes.puts if path.startswith(FILES))
        return commit(self, branch, changes, *arguments, **more)

    monkeypatch.setattr(type(repository), "commit", dying)
    with pytest.raises(KeyboardInterrupt):
        store(declare())
    assert branches(repository) == ["main", "tx-media-t0"]
    assert stored(repository) == {}
    assert set(stored(repository, "tx-media-t0")) == {"a.png", "b/c.wav"}

    puts.append("")  # lives this time
    assert store(declare()).accepted
    assert puts == [FILES + "a.png", FILES + "b/c.wav", "", FILES + "b/d.txt", FILES + "e.jpg"]
    assert stored(repository) == CONTENTS
    assert branches(repository) == ["main", "tx-media-t0"]  # expires; nothing of it is left to bring
    assert not store(declare()).changed


def test_the_label_may_stand_in_the_folder(declare: Declare, store: Store, repository: VersionedRepository) -> None:
    columns = {
        **COLUMNS,
        "animal": {"role": "target", "dtype": "category"},
        "y": {"role": "prediction", "dtype": "text"},
    }
    columns["y"] = {"role": "prediction", "dtype": "category"}
    contents = {"train/cat/1.png": making.png(grey=1), "test/dog/1.png": making.png(grey=2)}
    declared = declare(contents, ["train/cat/1.png,cat", "test/dog/1.png,cat"], columns, label="animal")
    assert store(declared).accepted
    assert Dataset(repository, "main").table()["animal"].to_pylist() == ["cat", "dog"]
    found = store(declare({"top.png": making.png()}, ["top.png,cat"], columns, label="animal"))
    assert "column 'animal': means missing" in said(found)


def test_a_column_of_the_manifest_may_be_declared_otherwise(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    columns = {
        **COLUMNS,
        "media_bytes": {"role": "sensitive", "dtype": "integer", "edges": [100]},
        "media_sha256": {"role": "ignored"},
    }
    assert store(declare(columns=columns)).accepted
    dataset = Dataset(repository, "main")
    assert dataset.contract["media_bytes"].group_labels == ("[-inf, 100)", "[100, inf)")
    assert "media_sha256" not in dataset.table().column_names


def test_files_without_a_row_are_counted_said_and_not_stored(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    from rai_assets.progress import listening

    lines: list[str] = []
    with listening(lines.append):
        store(declare(rows=["a.png,u", "e.jpg,v"]))
    assert set(stored(repository)) == {"a.png", "e.jpg"}
    assert "Named by no row and left out: 2 files of media: 'b/c.wav', 'b/d.txt'" in lines


def test_a_table_alone_again_drops_the_files(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path
) -> None:
    store(declare())
    found = store(DatasetSettings.model_validate({"files": [{"path": "labels.csv"}], "columns": COLUMNS}))
    assert found.accepted
    assert stored(repository) == {}
    assert Dataset(repository, "main").media is None


def test_a_damaged_memory_is_made_anew(declare: Declare, store: Store, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "media.sqlite").write_bytes(b"no database " * 1000)
    assert store(declare()).accepted
    assert (tmp_path / "home" / "media.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_a_file_without_a_header_of_columns(store: Store, declare: Declare, tmp_path: Path) -> None:
    settings = declare()
    (tmp_path / "labels.csv").write_text("a.png,u\ne.jpg,v\n")
    found = store(DatasetSettings.model_validate({**settings.model_dump(exclude_unset=True), "header": False}))
    assert found.accepted, said(found)


def test_files_edited_on_the_branch_are_audited_as_they_stand(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    settings = declare()
    store(settings)
    assert not stands_alone(repository, "main")
    repository.commit("main", ChangeSet().put(FILES + "a.png", making.jpeg()), "another client")
    assert stands_alone(repository, "main")
    found = audit_branch(settings, repository, "main", run_id="audit")
    assert "row 1, column 'file': 'a.png'" not in said(found)
    assert found.accepted, said(found)
    assert stored(repository) == {**CONTENTS, "a.png": making.jpeg()}
    table = Dataset(repository, "main").table()
    assert table["media_type"].to_pylist()[0] == "image/jpeg"
    again = audit_branch(settings, repository, "main", run_id="audit2")
    assert (again.accepted, again.changed) == (True, False)

    repository.commit("main", ChangeSet().delete(FILES + "e.jpg").put(FILES + "b/c.wav", b"RIFF"), "another client")
    found = audit_branch(settings, repository, "main", run_id="audit3")
    assert "'e.jpg' is not among the stored files" in said(found)
    assert "'b/c.wav' is named like audio and holds text/plain" in said(found)


def test_an_audit_of_refused_data_where_they_lie_says_the_same(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    settings = declare({"cut.png": making.png(50, 50)[:-30]})
    found = store(settings)
    assert not found.accepted
    audited = audit_commit(settings, repository, found.commit, "main", run_id="again")
    assert [rule.rule for rule in audited if not rule.passed] == ["media_readable"]


def test_a_file_deleted_from_the_branch_comes_back_with_the_declared_ones(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    settings = declare()
    store(settings)
    repository.commit("main", ChangeSet().delete(FILES + "a.png"), "another client")
    found = store(settings)
    assert found.changed
    assert stored(repository) == CONTENTS
