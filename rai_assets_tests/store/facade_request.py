"""A request as the lakeFS of the tests gets it, what stands behind it, and how its objects are worded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from rai_assets.store.embedded import EmbeddedRepository
from rai_assets.store.protocol import Commit, ObjectInfo


class Answer(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Staged:
    """An object that is not committed yet."""

    file: Path
    content_type: str
    metadata: dict[str, str]


@dataclass
class Shelf:
    """One repository, and what lakeFS knows of it beyond the embedded engine."""

    repository: EmbeddedRepository
    uploads: Path
    metadata: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    staged: dict[str, dict[str, Staged | None]] = field(default_factory=dict)
    rules: Any = None


@dataclass
class Request:
    """One request, as the answering functions see it."""

    shelf: Shelf
    words: tuple[str, ...]
    query: dict[str, str]
    headers: Any
    body: BinaryIO

    @property
    def repository(self) -> EmbeddedRepository:
        return self.shelf.repository

    def json(self) -> Any:
        return json.loads(self.body.read() or b"{}")

    def page(self, items: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        """A page of (key, item): those after the key `after`, in the order they come in."""
        after, amount = self.query.get("after", ""), int(self.query.get("amount", 100))
        left: Iterator[tuple[str, dict[str, Any]]] = iter(items)
        if after:
            left = iter(list(left))
            for key, _ in left:
                if key == after:
                    break
        found = list(islice(left, amount + 1))
        shown = found[:amount]
        more = len(found) > amount
        return {
            "pagination": {
                "has_more": more,
                "next_offset": shown[-1][0] if more else "",
                "results": len(shown),
                "max_per_page": 1000,
            },
            "results": [item for _, item in shown],
        }


def commit_json(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "parents": list(commit.parents),
        "committer": "tests",
        "message": commit.message,
        "creation_date": int(commit.time.timestamp()),
        "meta_range_id": "",
        "metadata": dict(commit.metadata),
    }


def stats_json(info: ObjectInfo) -> dict[str, Any]:
    if info.is_prefix:
        return {"path": info.path, "path_type": "common_prefix", "physical_address": "", "checksum": "", "mtime": 0}
    return {
        "path": info.path,
        "path_type": "object",
        "physical_address": f"facade://{info.sha256}",
        "checksum": info.sha256[:32],
        "mtime": 0,
        "size_bytes": info.size,
        "content_type": info.content_type,
        "metadata": dict(info.metadata),
    }
