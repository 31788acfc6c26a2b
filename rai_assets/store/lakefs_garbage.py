"""What dead writers left on a lakeFS server and beside it, and how long lakeFS keeps what nothing leads to."""

from __future__ import annotations

import math
import re
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rai_assets.store.errors import NotFound
from rai_assets.store.names import TRANSIENT_PREFIXES
from rai_assets.store.protocol import Collected

if TYPE_CHECKING:
    from rai_assets.store.lakefs_reading import LakeFSReader

_STAGING = re.compile(r"tx-([0-9a-f]{8,})-[0-9a-f]{32}")


def collect(repository: LakeFSReader, folder: Path, grace: timedelta, expire_runs: timedelta | None) -> Collected:
    """Delete staging branches older than `grace` and expired run branches, and set lakeFS's rule for the rest."""
    ask, api, models = repository.connection.ask, repository.connection.api, repository.connection.models
    found = repository.connection.pages(
        api.branches_api.list_branches, repository.repository, subject="branch", show_hidden=True
    )
    leftovers, expired = [], []
    for branch in [item for item in found if item.id.startswith(TRANSIENT_PREFIXES)]:
        staged = _STAGING.fullmatch(branch.id)
        if staged:
            if _old(datetime.fromtimestamp(int(staged[1], 16), UTC), grace):
                leftovers.append(branch.id)
        elif expire_runs is not None and _old(repository.get_commit(branch.commit_id).time, expire_runs):
            expired.append(branch.id)
    for name in [*leftovers, *expired]:
        with suppress(NotFound):
            ask(api.branches_api.delete_branch, repository.repository, name, subject=f"branch {name!r}")
    days = max(1, math.ceil(grace / timedelta(days=1)))
    rule = models.GarbageCollectionRule(branch_id=repository.default_branch, retention_days=days)
    rules = models.GarbageCollectionRules(default_retention_days=days, branches=[rule])
    ask(api.repositories_api.set_gc_rules, repository.repository, rules, subject="rule", operation="write")
    return Collected(tuple(sorted(expired)), 0, 0, len(leftovers) + _sweep(folder, grace))


def _sweep(folder: Path, grace: timedelta) -> int:
    """Remove the scratch folders of dead processes; returns how many."""
    limit = time.time() - grace.total_seconds()
    old = [path for path in folder.glob("*") if path.lstat().st_mtime <= limit]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _old(moment: datetime, age: timedelta) -> bool:
    return moment <= datetime.now(UTC) - age
