"""A data set of files: every file stored unchanged beside the table, only what is missing brought, refusals named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.data.dataset import FILES, MANIFEST, Dataset
from rai_assets.data.ingest import Ingested, audit_branch, audit_commit, ingest, stands_alone
from rai_assets.data.media import folder as media_folder
from rai_assets.data.media import upload as media_upload
from rai_assets.data.media.settings import FACTS
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.media import making

Declare = Callable[..., DatasetSettings]
Store = Callable[[DatasetSettings], Ingested]
COLUMNS = {"file": {"role": "identifier", "dtype": "text"}, "y": {"role": "target", "dtype": "category"}}
CONTENTS = {"a.png": making.png(), "b/c.wav": making.wav(), "b/d.txt": "Grüße".encode(), "e.jpg": making.jpeg()}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def repository(tmp_path: Path) -> VersionedRepository:
    return open_repository(tmp_path / "home", "rai-media")


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write files that settled an hour ago, and a table that names them; `rows` replaces its rows."""

    def make(
        contents: dict[str, bytes] = CONTENTS, rows: list[str] | None = None, columns: Any = None, **media: str
    ) -> DatasetSettings:
        for name, content in contents.items():
            path = tmp_path / "media" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (time.time() - 3600,) * 2)
        lines = rows if rows is not None else [f"{name},{'uv'[at % 2]}" for at, name in enumerate(contents)]
        (tmp_path / "labels.csv").write_text("\n".join(["file,y", *lines, ""]))
        return DatasetSettings.model_validate(
            {
                "files": [{"path": "labels.csv"}],
                "media": {"folder": "media", "path": "file", **media},
                "columns": columns or COLUMNS,
            }
        )

    return make


@pytest.fixture
def store(repository: VersionedRepository, tmp_path: Path) -> Store:
    runs = iter(range(1000))
    return lambda settings: ingest(settings, tmp_path, repository, "main", run_id=f"t{next(runs)}")


def branches(repository: VersionedRepository) -> list[str]:
    return [name for name in repository.branches() if not name.startswith("results-")]


def stored(repository: VersionedRepository, ref: str = "main") -> dict[str, bytes]:
    return {
        item.path.removeprefix(FILES): content(repository, ref, item.path)
        for item in repository.list_objects(ref, FILES)
    }


def content(repository: VersionedRepository, ref: str, path: str) -> bytes:
    with repository.open(ref, path) as stream:
        return stream.read()


def said(found: Ingested) -> str:
    return "\n".join(rule.sentence for rule in found.rules if not rule.passed)


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


def test_a_row_without_its_file_is_refused_by_name(declare: Declare, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    settings = declare(rows=["a.png,u"])
    (tmp_path / "media" / "link.txt").symlink_to(outside)
    (tmp_path / "media" / "hard.txt").hardlink_to(outside)
    (tmp_path / "media" / "same.png").symlink_to("a.png")
    (tmp_path / "media" / "twin1.txt").write_text("both names are inside")
    (tmp_path / "media" / "twin2.txt").hardlink_to(tmp_path / "media" / "twin1.txt")
    os.mkfifo(tmp_path / "media" / "pipe")
    for name, problem in {
        "a.png": "is the file of row 1 already",
        "same.png": "is the file of row 1 already",
        "gone.png": "is not in the media folder",
        "a.png/b": "is not in the media folder",
        "../secret.txt": "is no path inside the media folder",
        str(outside): "is no path inside the media folder",
        "http://host/a.png": "is no path inside the media folder",
        "b/./d.txt": "is no path inside the media folder",
        "a\x07.png": "is no path inside the media folder: it holds a control character",
        "x" * 2000: "is no path inside the media folder",
        "x" * 300: "cannot be read: File name too long",
        "": "names no file",
        "link.txt": "is a link that leads out of the media folder",
        "hard.txt": "has another name outside the media folder (a hard link)",
        "b": "is not a regular file",
        "pipe": "is not a regular file",
    }.items():
        (tmp_path / "labels.csv").write_text(f'file,y\na.png,u\n"{name}",v\n')
        found = store(settings)
        assert not found.accepted
        assert "labels.csv, row 2 (line 3), column 'file': " in said(found)
        assert problem in said(found), (name, said(found))
    (tmp_path / "labels.csv").write_text("file,y\na.png,u\ntwin2.txt,v\n")
    assert store(settings).accepted


def test_unreadable_files_are_named_and_nothing_is_published(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    found = store(declare({**CONTENTS, "cut.png": making.png(50, 50)[:-30], "page.jpg": b"<html>404</html>"}))
    broken = {rule.rule: rule for rule in found.rules if not rule.passed}
    assert set(broken) == {"media_readable"}
    assert broken["media_readable"].count == 2
    assert "column 'file': 'cut.png' ends too early for image/png" in said(found)
    assert "'page.jpg' is named like image and holds text/plain" in said(found)
    assert stored(repository) == {}
    assert branches(repository) == ["main", "run-t0", "tx-media-t0"]
    assert set(stored(repository, "run-t0")) == {*CONTENTS, "cut.png", "page.jpg"}


def test_a_file_that_vanishes_while_it_is_stored_is_named_and_nothing_is_published(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = media_upload.upload

    def late(*arguments: Any) -> Any:
        (tmp_path / "media" / "a.png").unlink()
        return brought(*arguments)

    monkeypatch.setattr("rai_assets.data.ingest.upload", late)
    with pytest.raises(InputRefused, match=r"a\.png: there is no such file to store"):
        store(declare())
    assert stored(repository) == {}


def test_a_file_that_shrinks_while_it_is_stored_is_named_and_nothing_is_published(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = media_upload.upload

    def late(*arguments: Any) -> Any:
        (tmp_path / "media" / "b" / "c.wav").write_bytes(b"RIFF")
        return brought(*arguments)

    monkeypatch.setattr("rai_assets.data.ingest.upload", late)
    with pytest.raises(InputRefused, match=r"c\.wav: the file changed while it was stored"):
        store(declare())
    assert stored(repository) == {}


def test_names_with_line_ends_or_without_an_encoding_are_told_in_one_line(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path
) -> None:
    from rai_assets.progress import listening

    settings = declare()
    odd = [os.fsencode(tmp_path / "media") + name for name in (b"/line\nend.png", b"/caf\xe9.png", b"/" + b"n" * 250)]
    for path in odd:
        Path(os.fsdecode(path)).write_bytes(making.png())
    lines: list[str] = []
    with listening(lines.append):
        assert store(settings).accepted
    (line,) = (line for line in lines if "named by no row" in line)
    assert line.startswith("3 files of media are named by no row and left out: ")
    assert "\n" not in line
    line.encode()
    assert stored(repository) == CONTENTS


def test_files_without_a_row_are_counted_said_and_not_stored(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    from rai_assets.progress import listening

    lines: list[str] = []
    with listening(lines.append):
        store(declare(rows=["a.png,u", "e.jpg,v"]))
    assert set(stored(repository)) == {"a.png", "e.jpg"}
    assert "2 files of media are named by no row and left out: 'b/c.wav', 'b/d.txt'" in lines


def test_a_file_that_changes_while_it_is_stored_is_noticed(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = type(repository).commit

    def meanwhile(self: Any, *arguments: Any, **more: Any) -> Any:
        (tmp_path / "media" / "a.png").write_bytes(making.png(grey=200))
        return commit(self, *arguments, **more)

    monkeypatch.setattr(type(repository), "commit", meanwhile)
    with pytest.raises(InputRefused, match="changed while it was stored"):
        store(declare())
    monkeypatch.undo()
    assert stored(repository) == {}


def test_other_files_published_meanwhile_are_never_mixed_in(
    declare: Declare, store: Store, repository: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = declare()
    bring = media_upload.bring

    def late(repository: VersionedRepository, parts: str, run_branch: str) -> None:
        repository.commit(run_branch, ChangeSet().put(FILES + "other.png", b"x"), "another run")
        bring(repository, parts, run_branch)

    monkeypatch.setattr("rai_assets.data.ingest.bring", late)
    with pytest.raises(RaiError, match="other files meanwhile"):
        store(settings)
    assert stored(repository) == {}


def test_a_table_alone_again_drops_the_files(
    declare: Declare, store: Store, repository: VersionedRepository, tmp_path: Path
) -> None:
    store(declare())
    found = store(DatasetSettings.model_validate({"files": [{"path": "labels.csv"}], "columns": COLUMNS}))
    assert found.accepted
    assert stored(repository) == {}
    assert Dataset(repository, "main").media is None


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ({"folder": "media", "path": "image"}, "names no column that `columns` declares"),
        ({"folder": "media", "path": "media_type"}, "names no column that `columns` declares"),
        ({"folder": "media", "path": "file", "label": "species"}, "names no column that `columns` declares"),
        ({"folder": "media", "path": "file", "label": "file"}, "are two columns"),
        ({"folder": "", "path": "file"}, "at least 1 character"),
    ],
)
def test_declarations_that_do_not_fit_together(media: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DatasetSettings.model_validate({"files": [{"path": "labels.csv"}], "media": media, "columns": COLUMNS})


def test_a_folder_that_is_none_and_a_column_that_is_made_are_refused(
    declare: Declare, store: Store, tmp_path: Path
) -> None:
    for folder, problem in (("nowhere", "no such file"), ("labels.csv", "not a folder"), ("s3://b/k", "addresses")):
        declare()
        with pytest.raises(InputRefused, match=problem):
            store(declare(folder=folder))
    settings = declare()
    (tmp_path / "labels.csv").write_text("file,y,media_type\na.png,u,x\n")
    with pytest.raises(InputRefused, match="'media_type' is made of the media files"):
        store(settings)
    (tmp_path / "labels.csv").write_text("name,y\na.png,u\n")
    with pytest.raises(InputRefused, match="no column 'file'"):
        store(settings)


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
