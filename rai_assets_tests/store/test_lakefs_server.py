"""What only a real lakeFS server can show: other programs at work on it, its S3 gateway, its death and return."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from lakefs_client import ApiException

from rai_assets.errors import UsageError
from rai_assets.store import lakefs_connection
from rai_assets.store.lakefs import LakeFSRepository
from rai_assets.store.lakefs_opening import open_lakefs
from rai_assets.store.lakefs_settings import LakeFSSettings
from rai_assets.store.protocol import (
    BackendUnavailable,
    ChangeSet,
    Commit,
    DirtyBranch,
    NoChanges,
    ProtectedBranch,
    StaleHead,
    VersionedRepository,
)
from rai_assets.store.s3 import s3_dataset, s3_filesystem
from rai_assets_tests.store.backends import NO_SERVER, lakefs_settings, repository_of
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Server, executable
from rai_assets_tests.store.saying import content, write

MIB = 1 << 20


@pytest.fixture
def settings(lakefs_endpoint: str) -> LakeFSSettings:
    return lakefs_settings()


@pytest.fixture
def lake(settings: LakeFSSettings, tmp_path: Path) -> LakeFSRepository:
    return open_lakefs(settings, tmp_path / "home", repository_of(str(tmp_path)))


def put_by_hand(lake: LakeFSRepository, branch: str, objects: dict[str, bytes], metadata: dict[str, str]) -> None:
    for path, body in objects.items():
        lake.connection.upload(lake.repository, branch, path, body, "text/plain", metadata)


def commit_by_hand(lake: LakeFSRepository, branch: str) -> None:
    words = lake.connection.models.CommitCreation(message="by hand")
    lake.connection.api.commits_api.commit(lake.repository, branch, words)


def test_objects_of_other_programs_are_hashed_and_their_folder_markers_hidden(lake: LakeFSRepository):
    put_by_hand(lake, "main", {"theirs": b"12", "folder/": b""}, {"color": "blue"})
    commit_by_hand(lake, "main")
    (info,) = lake.list_objects("main")
    assert (info.path, info.sha256, dict(info.metadata)) == ("theirs", sha256(b"12").hexdigest(), {"color": "blue"})
    assert [item.path for item in lake.diff("main~1", "main")] == ["theirs"]
    assert content(lake, "main") == {"theirs": "12"}


def test_uncommitted_changes_are_not_read_and_not_merged_over(lake: LakeFSRepository):
    """Case 23."""
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    put_by_hand(lake, "main", {"loose": b"1"}, {})
    assert content(lake, "main") == {}
    with pytest.raises(DirtyBranch):
        lake.merge("work", "main")
    with pytest.raises(DirtyBranch):
        write(lake, "main", {"b": "1"})


def test_the_servers_own_rule_protects_against_others(lake: LakeFSRepository):
    lake.protect(["main"])

    def refused() -> bool:
        try:
            put_by_hand(lake, "main", {"loose": b"1"}, {})
        except ProtectedBranch:
            return True
        return False

    # lakeFS keeps rules for some seconds; those of a repository that never had any hold at once.
    assert refused()


def test_a_repository_that_others_wrote_to_is_refused(settings: LakeFSSettings, tmp_path: Path):
    name = repository_of(str(tmp_path))
    connection = lakefs_connection.connect(settings)
    words = connection.models.RepositoryCreation(name=name, storage_namespace=f"local://{name}", default_branch="main")
    connection.api.repositories_api.create_repository(words)
    connection.upload(name, "main", "theirs", b"1", "text/plain", {})
    with pytest.raises(UsageError, match="belongs to something else"):
        open_lakefs(settings, tmp_path, name)


def test_a_repository_can_be_deleted_and_made_again(settings: LakeFSSettings, lake: LakeFSRepository, tmp_path: Path):
    """Its storage namespace is never taken twice. It takes 5 s, for lakeFS remembers a repository so long."""
    write(lake, "main", {"a": "1"})
    repositories = lake.connection.api.repositories_api
    repositories.delete_repository(lake.repository)
    with pytest.raises(ApiException):
        while repositories.get_repository(lake.repository):
            time.sleep(0.2)
    assert content(open_lakefs(settings, tmp_path, lake.repository), "main") == {}


def test_commits_carry_the_link_back_to_their_run(lake: LakeFSRepository):
    link = {"::lakefs::Dagster::url[url:ui]": "http://localhost:3000/runs/7", "run_id": "7"}
    lake.commit("main", ChangeSet().put("a", b"1"), "m", link)
    stored = lake.connection.api.commits_api.get_commit(lake.repository, "main").metadata
    assert stored.items() >= link.items()
    assert lake.get_commit("main").metadata == link


def test_lakefs_keeps_what_nothing_leads_to_as_long_as_it_is_told(lake: LakeFSRepository):
    """Case 34, as far as a server with local storage goes."""
    lake.collect_garbage()
    rules = lake.connection.api.repositories_api.get_gc_rules(lake.repository)
    assert rules.default_retention_days == 14


@pytest.fixture
def table(lake: LakeFSRepository, tmp_path: Path) -> pa.Table:
    """A table of 200,000 rows and 20 columns, committed as `dataset/table.parquet`."""
    rows = pa.table({f"c{number}": range(number, 200_000 + number) for number in range(20)})
    pq.write_table(rows, tmp_path / "table.parquet", row_group_size=20_000)
    lake.commit("main", ChangeSet().put("dataset/table.parquet", tmp_path / "table.parquet"), "m")
    return rows


def test_a_dataset_is_read_by_columns_at_a_commit(lake: LakeFSRepository, table: pa.Table):
    commit = lake.resolve("main")
    write(lake, "main", {"dataset/table.parquet": None})
    found = s3_dataset(lake, commit, "dataset/")
    assert found.to_table(columns=["c3"], filter=pa.compute.field("c0") < 10) == table.slice(0, 10).select(["c3"])


def test_the_gateway_lists_what_a_commit_holds(lake: LakeFSRepository, table: pa.Table):
    files = s3_filesystem(lake)
    place = f"{lake.repository}/{lake.resolve('main')}"
    (found,) = files.get_file_info(pyarrow.fs.FileSelector(f"{place}/dataset"))
    assert found.path == f"{place}/dataset/table.parquet"
    with pytest.raises(OSError, match="."):
        files.open_input_file(f"{lake.repository}/nowhere/dataset/table.parquet")


def test_users_code_reads_and_writes_a_run_branch_through_dagsters_resource(lake: LakeFSRepository, settings):
    from dagster_aws.s3 import S3Resource

    client = S3Resource(
        endpoint_url=settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
    ).get_client()
    lake.create_branch("run-7", "main")
    client.put_object(Bucket=lake.repository, Key="run-7/theirs.txt", Body=b"from S3")
    commit_by_hand(lake, "run-7")
    assert content(lake, "run-7") == {"theirs.txt": "from S3"}
    head = lake.merge("run-7", "main").commit.id
    got = client.get_object(Bucket=lake.repository, Key=f"{head}/theirs.txt")
    assert got["Body"].read() == b"from S3"


def test_the_embedded_store_has_no_gateway(store: VersionedRepository):
    with pytest.raises(UsageError, match="no S3 gateway"):
        s3_filesystem(store)


def test_a_branch_moved_under_us_is_told(lake: LakeFSRepository, monkeypatch: pytest.MonkeyPatch):
    """In the milliseconds between the comparison and the merge, which the server does not guard."""
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    expected = lake.resolve("main")
    bring = lake._bring

    def late(source: str, destination: str, *words: object, **more: object) -> Commit:
        if destination == "main":
            monkeypatch.undo()
            write(lake, "main", {"meanwhile": "1"})
        return bring(source, destination, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lake, "_bring", late)
    with pytest.raises(StaleHead, match="at the same moment"):
        lake.merge("work", "main", expected_head=expected)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, that may be killed."""
    if executable() is None:
        pytest.skip(NO_SERVER)
    server = Server(tmp_path / "server").start()
    yield server
    server.stop()


def of(server: Server, folder: Path) -> LakeFSRepository:
    return open_lakefs(
        LakeFSSettings(server.endpoint, ACCESS_KEY_ID, SECRET_ACCESS_KEY, timeout=60), folder, "rai-mortal"
    )


def during(act: Callable[[], None], what: Callable[[], None], delay: float) -> None:
    """Do `what` while `act` is on its way."""
    other = threading.Thread(target=lambda: (time.sleep(delay), what()))
    other.start()
    try:
        act()
    finally:
        other.join()


@pytest.mark.parametrize("deaths", [3, pytest.param(24, marks=pytest.mark.nightly)])
def test_a_server_killed_during_uploads_commits_and_merges_loses_and_doubles_nothing(
    mortal: Server, tmp_path: Path, deaths: int
):
    """Every death is followed by a restart; what was acknowledged is there once, and nothing is half there."""
    lake = of(mortal, tmp_path)
    chance = random.Random(7)
    acknowledged: dict[str, str] = {}

    def work(turn: int, over: threading.Event) -> None:
        for step in range(40):
            name, text = f"{turn}-{step}", f"{turn} {step} "
            changes = ChangeSet().put(f"pair/{name}/a", text.encode() * MIB).put(f"pair/{name}/b", text.encode())
            with suppress(BackendUnavailable):
                if step % 2:
                    lake.commit("main", changes, name)
                else:
                    lake.create_branch(f"run-{name}", "main")
                    lake.commit(f"run-{name}", changes, name)
                    lake.merge(f"run-{name}", "main", name)
                acknowledged[name] = text
            if over.is_set():
                return

    def die_and_return(over: threading.Event) -> None:
        mortal.kill()
        time.sleep(chance.uniform(0, 0.3))
        mortal.start()
        over.set()

    for turn in range(deaths):
        over = threading.Event()
        during(partial(work, turn, over), partial(die_and_return, over), chance.uniform(0.05, 0.6))
    objects = {item.path: item for item in lake.list_objects("main")}
    for name, text in acknowledged.items():
        assert objects[f"pair/{name}/b"].sha256 == sha256(text.encode()).hexdigest()
    halves = [{path[:-2] for path in objects if path.endswith(end)} for end in ("/a", "/b")]
    assert halves[0] == halves[1]
    messages = [commit.message for commit in lake.log("main", first_parent=True)][:-1]
    assert len(messages) == len(set(messages))
    assert set(messages) >= acknowledged.keys()
    # The next piece of work just works.
    write(lake, "main", {"after": "1"})


def test_a_server_that_stands_still_is_waited_for(mortal: Server, tmp_path: Path):
    lake = of(mortal, tmp_path)

    def hold() -> None:
        os.kill(mortal.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(mortal.pid, signal.SIGCONT)

    during(lambda: [write(lake, "main", {f"a{n}": "1"}) for n in range(20)] and None, hold, 0.05)
    assert len(content(lake, "main")) == 20


def test_a_server_that_is_restarted_in_between_is_not_noticed(mortal: Server, tmp_path: Path):
    lake = of(mortal, tmp_path)
    write(lake, "main", {"a": "1"})
    mortal.stop()
    mortal.start()
    write(lake, "main", {"b": "1"})
    with suppress(NoChanges):
        write(lake, "main", {"b": "1"})
    assert content(lake, "main") == {"a": "1", "b": "1"}
