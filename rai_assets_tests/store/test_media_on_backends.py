"""A data set of files on every engine: the same data, only what is missing brought, sudden death and two at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rai_assets.data.dataset import FILES
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.media import upload
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import RaiError
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.data.media import making
from rai_assets_tests.store.backends import BACKENDS

SETTINGS = DatasetSettings.model_validate(
    {
        "files": [{"path": "labels.csv"}],
        "media": {"folder": "media", "path": "file"},
        "columns": {"file": {"role": "identifier", "dtype": "text"}, "y": {"role": "target", "dtype": "category"}},
    }
)
CONTENTS = {"a.png": making.png(), "b/c.wav": making.wav(), "b/d.txt": "Grüße".encode(), "e.jpg": making.jpeg()}
SEED = 11
# Processes of their own (they take most of the time here): they begin without threads, so that they may fork.
WRITER = "from rai_assets_tests.store.test_media_on_backends import write; import sys; write(*sys.argv[1:])"
CRASHES = "from rai_assets_tests.store.test_media_on_backends import crashes; import sys; crashes(*sys.argv[1:])"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / "state"))


def make(base: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        path = base / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    rows = [f"{name},{'uv'[at % 2]}" for at, name in enumerate(contents)]
    (base / "labels.csv").write_text("\n".join(["file,y", *rows, ""]))


def store(repository: VersionedRepository, base: Path, run_id: str) -> Ingested:
    return ingest(SETTINGS, base, repository, "main", run_id=run_id)


def stored(repository: VersionedRepository, ref: str = "main") -> dict[str, bytes]:
    found = {}
    for item in repository.list_objects(ref, FILES):
        with repository.open(ref, item.path) as stream:
            found[item.path.removeprefix(FILES)] = stream.read()
    return found


def write(backend: str, location: str, base: str, run_id: str) -> None:
    """What a process of its own does; it says how it ended."""
    try:
        found = store(BACKENDS[backend](location), Path(base), run_id)
        sys.stdout.write(f"accepted {found.accepted}\n")
    except RaiError as refused:
        sys.stdout.write(f"refused: {refused.what}\n")


def test_only_what_changed_is_stored(repository: VersionedRepository, tmp_path: Path) -> None:
    make(tmp_path, CONTENTS)
    first = store(repository, tmp_path, "t0")
    assert first.accepted
    assert stored(repository) == CONTENTS
    again = store(repository, tmp_path, "t1")
    assert (again.commit, again.changed, again.version) == (first.commit, False, first.version)

    changed = {**CONTENTS, "a.png": making.png(grey=9)}
    make(tmp_path, changed)
    assert store(repository, tmp_path, "t2").accepted
    assert stored(repository) == changed
    part = next(commit for commit in repository.log("main") if commit.message == "1 file for main")
    assert [change.path for change in repository.diff(f"{part.id}~1", part.id, two_dot=True)] == [FILES + "a.png"]
    assert [name for name in repository.branches() if name.startswith(("run-", "tx-"))] == []


def test_every_engine_gives_the_data_the_same_version(
    repository: VersionedRepository, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make(tmp_path, CONTENTS)
    embedded = BACKENDS["embedded"](str(tmp_path_factory.mktemp("embedded")))
    assert store(repository, tmp_path, "t0").version == store(embedded, tmp_path, "t0").version
    assert repository.tree_digest("main") == embedded.tree_digest("main")


@pytest.mark.parametrize("backend", ["embedded", "lakefs"], indirect=True)
def test_two_at_once_end_accepted_or_plainly_refused(
    repository: VersionedRepository, backend: str, location: str, tmp_path: Path
) -> None:
    sides = {name: {f"{name}{at}.png": making.png(grey=at) for at in range(6)} for name in "ab"}
    for name, contents in sides.items():
        make(tmp_path / name, contents)
    command = [sys.executable, "-c", WRITER, backend, location]
    processes = [
        subprocess.Popen([*command, str(tmp_path / name), f"r{name}"], stdout=subprocess.PIPE, text=True)
        for name in sides
    ]
    said = [process.communicate(timeout=120)[0].splitlines()[-1] for process in processes]
    assert all(line == "accepted True" or line.startswith("refused: ") for line in said)
    assert "accepted True" in said
    assert stored(repository) in sides.values()
    for name, contents in sides.items():  # what was refused is there to be brought again
        assert store(repository, tmp_path / name, f"again-{name}").accepted
        assert stored(repository) == contents


@pytest.mark.parametrize(
    ("backend", "kills"),
    [
        ("embedded", 20),
        ("lakefs", 5),
        pytest.param("embedded", 200, marks=pytest.mark.nightly),
        pytest.param("lakefs", 100, marks=pytest.mark.nightly),
    ],
    indirect=["backend"],
)
def test_sudden_death_leaves_nothing_half_visible_and_what_was_brought_is_not_brought_again(
    repository: VersionedRepository, backend: str, location: str, tmp_path: Path, kills: int
) -> None:
    command = [sys.executable, "-c", CRASHES, backend, location, str(tmp_path), str(kills)]
    subprocess.run(command, check=True, timeout=500)
    contents = pictures(kills)
    make(tmp_path, contents)
    # The newest unfinished branch is gone on from; several may be of the same second.
    starts = [*repository.branches(upload.PREFIX), "main"]
    missing = {len(contents.items() - stored(repository, name).items()) for name in starts}
    assert store(repository, tmp_path, "last").accepted
    assert stored(repository) == contents
    parts = [commit.message for commit in repository.log("main") if commit.metadata.get("run_id") == "last"]
    assert (
        sum(int(text.split()[0]) for text in parts if text.endswith((" file for main", " files for main"))) in missing
    )


def crashes(backend: str, location: str, base: str, kills: str) -> None:
    """A process that stores files is killed at random moments; other files are to be stored after every fourth."""
    upload._PART_FILES = 2
    chance, whole = random.Random(SEED), [dict[str, bytes]()]
    for turn in range(int(kills)):
        contents = pictures(turn)
        make(Path(base), contents)
        whole.append(contents)
        child = os.fork()
        if child == 0:
            try:
                store(BACKENDS[backend](location), Path(base), f"k{turn}")
            finally:
                os._exit(0)
        time.sleep(chance.random() * 0.6)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert stored(BACKENDS[backend](location)) in whole


def pictures(turn: int) -> dict[str, bytes]:
    return {f"{at // 10}/{at}.png": making.png(at + 1, turn // 4 + 1) for at in range(20)}
