"""Bringing data into a use case, past its gate: what `rai ingest`, `rai publish` and `rai merge` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING
from uuid import uuid4

from rai_assets.errors import InputRefused, UsageError
from rai_assets.home import prepare
from rai_assets.keys import MAIN
from rai_assets.store.branches import check_data_branch
from rai_assets.store.gate import merge_data
from rai_assets.store.ledger import DECLARED, Standing, data_digest, record, requirements_digest, standing
from rai_assets.store.names import TRANSIENT_DAYS
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, Commit, Strategy, VersionedRepository
from rai_assets.use_case.people import person, word

if TYPE_CHECKING:
    from rai_assets.data.ingest import Ingested
    from rai_assets.data.settings import DatasetSettings
    from rai_assets.data.staging import Progress
    from rai_assets.use_case.declaration import Declared


def contract_broken(sentences: Sequence[str], run_branch: str) -> InputRefused:
    """The refusal of data that break their contract.

    Args:
        sentences: What is wrong, rule by rule.
        run_branch: Where the data are.
    """
    return InputRefused(
        "the data does not keep its contract:\n" + indent("\n".join(sentences), "  "),
        fix="mend the data, or the contract in the declaration, and run again; nothing was published. "
        f"The rows that were read stay on branch {run_branch} for {TRANSIENT_DAYS} days",
    )


def ingest_files(declared: Declared, files: Sequence[Path], branch: str, progress: Progress) -> Ingested:
    """Publish files on a data branch, if they keep the contract; without files, those of the declaration.

    Args:
        declared: The use case.
        files: In the places of the declared ones, where those name their splits.
        branch: The data branch.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        InputRefused: A file cannot be read, or the data break their contract.
        RaiError: Other data were published meanwhile.
        UsageError: There is no such data branch, or the files do not fit the declaration's splits.
    """
    from rai_assets.data.ingest import ingest

    repository = _repository(declared, branch)
    settings, name, run_id = declared.use_case.dataset, declared.use_case.name, str(uuid4())
    ingested = ingest(
        _of_files(settings, files, declared.folder) if files else settings,
        Path.cwd() if files else declared.folder,
        repository,
        branch,
        run_id=run_id,
        origin="given" if files else "declared",
        metadata={"run_id": run_id, "use_case": name, "by": person()},
        progress=progress,
    )
    if not ingested.accepted:
        raise contract_broken([rule.sentence for rule in ingested.rules if not rule.passed], ingested.branch)
    return ingested


def publish(declared: Declared, branch: str, reason: str) -> str:
    """Let audited data pass the gate in spite of its verdict, on a person's word; returns what was done, in a sentence.

    The data of a run branch, which broke their contract, are published on the data branch that they were read for;
    the head of a data branch may be merged into `main` although a blocking requirement does not hold. Who, when and
    why stand in the ledger and in a commit of the data branch.

    Args:
        declared: The use case.
        branch: A data branch, or a run branch that was left for inspection.
        reason: Why, in a sentence.

    Raises:
        RaiError: Other data were published meanwhile.
        UsageError: There is no such branch or no reason, the data were not audited, or nothing stands in their way.
    """
    from rai_assets.data.ingest import DESTINATION
    from rai_assets.data.publish import land
    from rai_assets.monitoring.batches.accept import BATCH

    name, requirements = declared.use_case.name, declared.requirements
    if not reason.strip():
        raise UsageError("a person lets data pass for a reason", fix="--reason 'why, in a sentence'")
    refused = branch.startswith("run-")
    repository = _repository(declared, None if refused else branch)
    head = repository.get_commit(branch)
    destination = head.metadata.get(DESTINATION, "") if refused else branch
    if destination not in repository.branches():
        batch = head.metadata.get(BATCH) if refused else None
        fix = "name the run branch that the refusal named, or a data branch"
        if batch:
            fix = f"rai publish {name} --batch {batch} --reason ..."
        raise UsageError(f"branch {branch!r} holds no data that were read for a data branch", where=name, fix=fix)
    found, digest = standing(repository, head.id, requirements), data_digest(repository, head.id)
    words = word(reason)
    verdict = {**words, "of": _in_the_way(found, name, branch), DECLARED: requirements_digest(requirements)}
    record(repository, destination, digest, "override", verdict, commit=head.id)
    noted = {f"override_{key}": value for key, value in words.items()}
    if refused:
        commit = land(repository, branch, destination, digest, noted)
        repository.delete_branch(branch)
    else:
        message = f"{words['by']} lets the data pass: {words['reason']}"
        commit = repository.commit(branch, ChangeSet(), message, noted, expected_head=head.id, allow_empty=True).id
    return f"{destination} stands at {commit[:12]}. {standing(repository, commit, requirements).sentence}"


def _in_the_way(found: Standing, name: str, branch: str) -> list[str]:
    """What a person's word is needed for; what it was given for already stays."""
    refused = branch.startswith("run-")
    run = "bring the data again: `rai ingest`" if refused else f"rai run {name} --branch {branch}"
    if found.contract is None:
        raise UsageError(f"the data of {branch!r} were not audited yet", where=name, fix=run)
    ways = set(found.override["of"]) if found.override else set()
    if not found.gated:
        return [*ways, "contract"]
    if found.mergeable or refused:
        raise UsageError(
            f"nothing stands in the way of {branch!r}: {found.sentence}",
            where=name,
            fix="no word is needed; `rai merge` brings a data branch into another",
        )
    if found.requirements is None:
        raise UsageError(f"{branch!r} cannot be judged yet: {found.sentence}", where=name, fix=run)
    return sorted({*ways, "requirements"})


def merge(declared: Declared, source: str, destination: str = MAIN, *, strategy: Strategy | None = None) -> Commit:
    """Merge a data branch into another through the gate; what is raised is that of `store.gate.merge_data`.

    Args:
        declared: The use case.
        source: The data branch to merge.
        destination: The data branch that moves.
        strategy: Which side wins an object changed on both.
    """
    from rai_assets.data.ingest import audit_commit

    repository, run_id = _repository(declared, source, destination), str(uuid4())
    settings = declared.use_case.dataset
    return merge_data(
        repository,
        source,
        destination,
        declared.requirements,
        run_id=run_id,
        use_case=declared.use_case.name,
        audit=lambda commit: audit_commit(settings, repository, commit, destination, run_id=run_id),
        metadata={"run_id": run_id, "use_case": declared.use_case.name, "by": person()},
        strategy=strategy,
    )


def _repository(declared: Declared, *data_branches: str | None) -> VersionedRepository:
    """The repository of a use case, in which the named data branches are."""
    repository = open_repository(prepare(), declared.use_case.keys().repository)
    for branch in data_branches:
        if branch is not None:
            check_data_branch(repository, declared.use_case.name, branch)
    return repository


def _of_files(settings: DatasetSettings, files: Sequence[Path], folder: Path) -> DatasetSettings:
    """The declaration with other files in the places of its own; media files stay where they are declared."""
    from rai_assets.data.settings import FileSettings

    splits = [file.split for file in settings.files]
    if any(splits) and len(files) != len(splits):
        raise UsageError(
            f"the declared files name their splits ({', '.join(map(str, splits))}); files given: {len(files)}",
            fix=f"give {len(splits)} files, in the declared order",
        )
    of_each = splits if any(splits) else [None] * len(files)
    given = [FileSettings(path=str(path), split=split) for path, split in zip(files, of_each, strict=True)]
    media = settings.media and settings.media.model_copy(update={"folder": str(folder / settings.media.folder)})
    return settings.model_copy(update={"files": given, "media": media})
