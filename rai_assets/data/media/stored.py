"""The files of a commit that rows may name: what the manifest says of them holds while their digests are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from rai_assets.data.dataset import FILES, MANIFEST, Dataset
from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.rows import FilesOfRows, NotThere, facts_of
from rai_assets.store.protocol import NotFound, VersionedRepository


class StoredFiles(FilesOfRows):
    """The media files of a commit. A context manager.

    Args:
        repository: Where they are stored.
        commit: Its id.
        scratch: A folder for a file that is looked at: one that another client wrote.
    """

    tables_have_facts = True

    def __init__(self, repository: VersionedRepository, commit: str, scratch: Path) -> None:
        super().__init__()
        self.where = f"commit {commit[:12]}"
        self._repository, self._commit, self._scratch = repository, commit, scratch
        self._stored = {path: bytes.fromhex(sha256) for path, sha256 in stored_files(repository, commit)}
        self._manifest, self._at = self._read_manifest()

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a row's file: from the manifest, or found out by reading it once.

        Raises:
            NotThere: The commit has no such file, or an earlier row named it.
        """
        if path not in self._stored:
            raise NotThere("is not among the stored files")
        self._claim(path, row)
        if path in self._at:
            (known,) = self._manifest.slice(self._at[path], 1).to_pylist()
            if known["media_sha256"] == self._stored[path].hex():
                return facts_of(known)
        file = self._scratch / f"media{PurePosixPath(path).suffix}"
        self._repository.download(self._commit, FILES + path, file)
        try:
            return examine(file)
        finally:
            file.unlink()

    def without_row(self) -> list[str]:
        """Files of the commit that no row has named so far."""
        return [path for path in self._stored if path not in self._row_of]

    def _read_manifest(self) -> tuple[Any, dict[str, int]]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self._repository.open(self._commit, MANIFEST) as stream:
                table = parquet.read_table(stream, use_threads=False)
            return table, {path: at for at, path in enumerate(table["path"].to_pylist())}
        except (NotFound, pa.ArrowInvalid, KeyError):  # then every file is looked at
            return None, {}


def files_edited(repository: VersionedRepository, commit: str) -> bool:
    """Whether a commit's media files are others than those its summary was written for."""
    media = Dataset(repository, commit).media
    return media is not None and media.get("digest") != repository.tree_digest(commit, FILES)


def stored_files(repository: VersionedRepository, ref: str) -> Iterator[tuple[str, str]]:
    """Path inside `dataset/files/` and SHA-256 (hex) of the media files of a commit, in byte order of the paths.

    Raises:
        NotFound: There is no such ref.
    """
    start = len(FILES)
    return ((item.path[start:], item.sha256) for item in repository.list_objects(ref, FILES))
