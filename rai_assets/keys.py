"""Names that the graph, the store and the command line share: asset keys, groups, partitions, repositories."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

USE_CASE_PATTERN = r"^[a-z][a-z0-9_]{2,40}$"
MAIN = "main"
CHAMPION = "champion"
PRODUCTION = "production"
"""The branch of the accepted batches; their results are on `results-production`."""
DATA_PREFIX = "dataset/"
"""Where the data lie on `main` and every data branch."""
BATCHES = "batches/"
WAITING_LABELS = "labels/"  # labels that came before the rows that they belong to
"""Where the batches lie on `production`, and what was found of them on `results-production`."""


WINDOWS = "windows/"
"""Where the reports on windows of production lie on `results-production`."""


@dataclass(frozen=True)
class UseCaseKeys:
    """The names of everything that belongs to one use case.

    Attributes:
        name: Name of the use case, `[a-z][a-z0-9_]{2,40}`.
        owners: E-mail addresses or `team:x`.
        source: `file:line` of the declaration, for links from the graph to it; empty if declared in memory.
    """

    name: str
    owners: tuple[str, ...] = ()
    source: str = ""

    def asset(self, thing: str) -> list[str]:
        """Path of the asset key `<use_case>/<thing>`."""
        return [self.name, thing]

    @property
    def repository(self) -> str:
        """Name of the use case's repository in the store."""
        return repository_name(self.name)

    @property
    def branch_partitions(self) -> str:
        """Name of the dynamic partitions that mirror the data branches."""
        return f"{self.name}_branch"

    @property
    def batch_partitions(self) -> str:
        """Name of the dynamic partitions that are the batches of production."""
        return f"{self.name}_batch"

    @property
    def production_job(self) -> str:
        """Name of the job that audits and scores one batch of production."""
        return f"{self.name}_production"

    @property
    def monitoring_report_job(self) -> str:
        """Name of the job that makes the report on a window of production."""
        return f"{self.name}_monitoring_report"

    @property
    def arrivals_sensor(self) -> str:
        """Name of the sensor that watches the inbox of production."""
        return f"{self.name}_arrivals"

    @property
    def audit_job(self) -> str:
        """Name of the job that refreshes and audits one data branch."""
        return f"{self.name}_audit"

    @property
    def retention_job(self) -> str:
        """Name of the job that removes what is older than it is kept."""
        return f"{self.name}_retention"

    @property
    def promotion_job(self) -> str:
        """Name of the job that moves the champion."""
        return f"{self.name}_promotion"


def repository_name(use_case: str) -> str:
    """`rai-` and the use case's name with `_` written `-`: a valid lakeFS repository."""
    return "rai-" + use_case.replace("_", "-")


def results_branch(branch: str) -> str:
    """The branch that holds the results of a data branch's audits."""
    return f"results-{branch}"


def batch_folder(batch: str) -> str:
    """Where a batch lies on `production`, and what was found of it on `results-production`."""
    return f"{BATCHES}{batch}/"


def check_name(text: str) -> str:
    """A Dagster check name for any text: a readable slug and a short digest that keeps different texts apart."""
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40] or "check"
    return f"{slug}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"
