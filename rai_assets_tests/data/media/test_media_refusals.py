"""Files that cannot be stored as they are: each is named, nothing half is published, nothing is mixed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rai_assets.data.dataset import FILES
from rai_assets.data.media import upload as media_upload
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.media import making
from rai_assets_tests.data.media.conftest import COLUMNS, CONTENTS, Declare, Store, branches, said, stored


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
    (line,) = (line for line in lines if "Named by no row" in line)
    assert line.startswith("Named by no row and left out: 3 files of media: ")
    assert "\n" not in line
    line.encode()
    assert stored(repository) == CONTENTS


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
