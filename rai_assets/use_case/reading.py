"""What audits left in the store: where it stands, the reports, and the model open for single records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home
from rai_assets.keys import MAIN, repository_name, results_branch
from rai_assets.store import results
from rai_assets.store.branches import check_data_branch
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.use_case.declaration import Declared

if TYPE_CHECKING:
    from rai_assets.model.records import RecordScorer
    from rai_assets.report.making import Made


class NotRun(RaiError):
    """A use case has no repository here."""


def repository_of(name: str) -> VersionedRepository:
    """The repository of a use case.

    Raises:
        NotRun: The use case has not been run here.
    """
    try:
        return open_repository(home(), repository_name(name), create=False)
    except NotFound as error:
        raise NotRun(f"{name} has not been run in {home()}", fix=f"rai run {name}") from error


def results_head(repository: VersionedRepository, name: str, branch: str) -> str:
    """The newest results commit of a data branch.

    Raises:
        NotFound: There is no such data branch.
        RaiError: It has not been audited.
    """
    try:
        return repository.resolve(results_branch(branch))
    except NotFound as error:
        check_data_branch(repository, name, branch)
        raise RaiError(
            f"{name} has no results of branch {branch!r}", fix=f"rai run {name} --branch {branch}"
        ) from error


def write_report(declared: Declared, branch: str, output: Path) -> Path:
    """Write the stored report to a file, whole or not at all; returns its path.

    Raises:
        RaiError: The branch was not audited, or the file cannot be written.
    """
    name = declared.use_case.name
    repository = repository_of(name)
    page = results.load(repository, results_head(repository, name, branch), "scorecard").files["report.html"]
    return _write(page, output)


def write_production_report(
    declared: Declared,
    output: Path,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    whylogs: Path | None = None,
) -> Made:
    """Make the report on a window of production, and write it to a file, whole or not at all.

    Args:
        declared: The use case.
        output: The file.
        start: Batches from this time on; a year before the end when None.
        end: Batches before this time; until the newest batch when None.
        whylogs: Where the batches' profiles of whylogs are written as one, too.

    Raises:
        UsageError: The use case declares no production, no batch is in the window, or one has no profile of whylogs.
        RaiError: The file cannot be written.
    """
    from rai_assets.monitoring.profiles.whylogs_file import FILE
    from rai_assets.report.making import make_report
    from rai_assets.use_case.batches import production_of

    use_case = declared.use_case
    production, repository = production_of(declared), repository_of(use_case.name)
    made = make_report(production, repository, use_case.display_title, use_case.description, start, end)
    if whylogs is not None:
        if FILE not in made.result.files:
            raise UsageError(
                "not every batch of the window has a profile of whylogs",
                fix="name a window of batches with one, and leave `whylogs: false` out of `production: profile:`",
            )
        _write(made.result.files[FILE], whylogs, "--whylogs")
    _write(made.result.files["report.html"], output)
    return made


def _write(content: bytes, output: Path, option: str = "--output") -> Path:
    fresh = output.with_name(f".{output.name}.part")
    try:
        fresh.write_bytes(content)
        fresh.replace(output)
    except OSError as error:
        raise RaiError(
            f"the file cannot be written: {error.strerror}", where=str(output), fix=f"name another one by {option}"
        ) from error
    return output


@contextmanager
def record_scorer(name: str, branch: str = MAIN) -> Iterator[RecordScorer]:
    """The model of a data branch's last audit, open for single records that the contract of its data checks.

    Args:
        name: The use case.
        branch: The data branch.

    Raises:
        RaiError: The branch was not audited, or its audit is of logged decisions, without a model.
    """
    from rai_assets.data.dataset import Dataset
    from rai_assets.model.records import RecordScorer
    from rai_assets.model.scoring import ScoringSession
    from rai_assets.model.version import ModelVersion

    repository = repository_of(name)
    head = results_head(repository, name, branch)
    made = results.load(repository, head, "model")
    data = results.load(repository, head, "dataset", parts=()).provenance.commit
    with ScoringSession(ModelVersion.from_files(made.files)) as session:
        yield RecordScorer(session, Dataset(repository, data).contract)
