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
from rai_assets.store.expiry import expired
from rai_assets.store.protocol import Collected

if TYPE_CHECKING:
    from rai_assets.store.lakefs import LakeFSRepository

_AT_LEAST = timedelta(days=1)  # a writer at work cannot be told from a dead one, but by its age
_STAGING = re.compile(r"tx-([0-9a-f]{8,})-[0-9a-f]{32}")


def collect(
    repository: LakeFSRepository, folder: Path, grace: timedelta, expire_runs: timedelta | None, dry_run: bool
) -> Collected:
    """Delete staging branches older than `grace` and expired run branches, and set lakeFS's rule for the rest.

    Args:
        repository: Where.
        folder: For files on their way; what dead writers left there goes, too.
        grace: Nothing younger is removed; at least a day.
        expire_runs: Age from which `run-` and `tx-` branches are deleted; none are when None.
        dry_run: Only tell what would go.
    """
    life = max(grace, _AT_LEAST)
    ask, api, models = repository.connection.ask, repository.connection.api, repository.connection.models
    found = repository.connection.pages(
        api.branches_api.list_branches, repository.repository, subject="branch", prefix="tx-", show_hidden=True
    )
    leftovers = [
        branch.id
        for branch in found
        if (staged := _STAGING.fullmatch(branch.id)) and _old(datetime.fromtimestamp(int(staged[1], 16), UTC), life)
    ]
    old = expired(repository, expire_runs) if expire_runs is not None else ()
    scratch = [path for path in folder.glob("*") if path.lstat().st_mtime <= time.time() - life.total_seconds()]
    if not dry_run:
        for name in [*leftovers, *old]:
            with suppress(NotFound):
                ask(api.branches_api.delete_branch, repository.repository, name, subject=f"branch {name!r}")
        days = max(1, math.ceil(grace / timedelta(days=1)))
        rule = models.GarbageCollectionRule(branch_id=repository.default_branch, retention_days=days)
        rules = models.GarbageCollectionRules(default_retention_days=days, branches=[rule])
        ask(api.repositories_api.set_gc_rules, repository.repository, rules, subject="rule", operation="write")
        for path in scratch:
            shutil.rmtree(path, ignore_errors=True)
    return Collected(old, 0, 0, len(leftovers) + len(scratch))


def _old(moment: datetime, age: timedelta) -> bool:
    return moment <= datetime.now(UTC) - age
