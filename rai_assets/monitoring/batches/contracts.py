"""Versions of the contract that batches keep: each with the time from which it holds, and who accepted it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rai_assets.data.columns import ColumnSettings
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.provenance import digest_of
from rai_assets.store.protocol import NotFound, VersionedRepository

FOLDER = "contracts/"


@dataclass(frozen=True)
class ContractVersion:
    """A contract of production.

    Attributes:
        number: From 1.
        effective: The time of the first batch that it is about; None for the first version, which was declared.
        by: Who accepted it.
        reason: Why.
        dataset: How files are read, and what every column is and may hold; as declared under `dataset`.
        declaration: Digest of what was declared when it was accepted; empty of versions that do not say it.
    """

    number: int
    effective: datetime | None
    by: str
    reason: str
    dataset: dict[str, Any]
    declaration: str = ""

    @classmethod
    def declared(cls, settings: DatasetSettings) -> ContractVersion:
        """The first version."""
        dataset = dataset_json(settings)
        return cls(1, None, "", "as declared", dataset, digest_of(dataset))

    def settings(self, files: Sequence[FileSettings]) -> DatasetSettings:
        """How these files are read."""
        given = [file.model_dump(exclude_unset=True) for file in files]
        return DatasetSettings.model_validate({**self.dataset, "files": given})

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        effective = None if self.effective is None else self.effective.isoformat()
        return {**vars(self), "effective": effective}

    def as_bytes(self) -> bytes:
        """The version as a file; the same version gives the same bytes."""
        return json.dumps(self.as_json(), ensure_ascii=False, indent=1, allow_nan=False).encode()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ContractVersion:
        """The version that `as_json` wrote."""
        effective = value["effective"]
        return cls(**{**value, "effective": None if effective is None else datetime.fromisoformat(effective)})


def dataset_json(settings: DatasetSettings) -> dict[str, Any]:
    """What a contract keeps of a declared data set: all but its files and how they are split."""
    kept = settings.model_dump(mode="json", exclude_unset=True, exclude={"files", "split", "media"})
    if settings.media is None:
        return kept
    # What rows name lies in the inbox, wherever the files of the data set are.
    return {**kept, "media": {**settings.media.model_dump(mode="json", exclude_unset=True), "folder": "."}}


def versions(repository: VersionedRepository, commit: str) -> list[ContractVersion]:
    """The contracts in a commit of `production`, from the first on."""
    found = []
    for item in repository.list_objects(commit, FOLDER):
        with repository.open(commit, item.path) as stream:
            found.append(ContractVersion.from_json(json.load(stream)))
    return sorted(found, key=lambda version: version.number)


def version_for(known: Sequence[ContractVersion], time: datetime) -> ContractVersion:
    """The contract that holds at a time: the newest of those that are in effect."""
    return [version for version in known if version.effective is None or version.effective <= time][-1]


def path_of(version: ContractVersion) -> str:
    """Where it lies on `production`."""
    return f"{FOLDER}{version.number:04d}.json"


def for_batches(settings: DatasetSettings, labels: Sequence[str]) -> DatasetSettings:
    """The contract of a batch: its target, if it is there, is not known of every row yet, and a class is a known one.

    Args:
        settings: The contract as declared.
        labels: The classes found in the reference data; empty where they are not known.
    """
    columns = {}
    for name, column in settings.columns.items():
        columns[name] = _unlabeled(column, labels) if "target" in column.roles else column
    media = settings.media
    if media is not None and media.label in settings.with_role("target"):
        media = media.model_copy(update={"label": None})  # in what folder a file arrives says nothing of its class
    return settings.model_copy(update={"columns": columns, "media": media})


def _unlabeled(column: ColumnSettings, labels: Sequence[str]) -> ColumnSettings:
    countable = column.dtype == "category" or (column.dtype == "integer" and column.positive is not None)
    allowed = column.allowed or (list(labels) if countable and labels else None)
    return ColumnSettings(
        role="context",
        dtype=column.dtype,
        allowed=allowed,
        minimum=column.minimum,
        maximum=column.maximum,
        missing="allowed",
        description=column.description,
    )


def read_json(repository: VersionedRepository, commit: str, path: str) -> dict[str, Any] | None:
    """A JSON object of a commit; None if it is not there."""
    try:
        with repository.open(commit, path) as stream:
            return dict(json.load(stream))
    except NotFound:
        return None
