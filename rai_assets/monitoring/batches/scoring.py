"""What is predicted of the rows of a batch: by the champion."""

from __future__ import annotations

from dataclasses import dataclass

from rai_assets.errors import RaiError
from rai_assets.keys import CHAMPION
from rai_assets.model.predictions import predict
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.version import ModelVersion
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage


@dataclass(frozen=True)
class Champion:
    """The model that serves.

    Attributes:
        version: The model.
        commit: The promotion's commit on the branch `champion`.
        data_commit: The data that it was audited on; their held-out split is the reference.
    """

    version: ModelVersion
    commit: str
    data_commit: str


def champion_of(repository: VersionedRepository, use_case: str) -> Champion:
    """The model that serves now, read by the id of its commit.

    Raises:
        RaiError: There is none yet.
    """
    try:
        commit = repository.resolve(CHAMPION)
        result = results.load(repository, commit, CHAMPION)
    except NotFound as fault:
        raise RaiError(
            f"{use_case} has no champion yet that could score a batch",
            where=use_case,
            fix=f"`rai run {use_case}` promotes one when the gate of main holds; then materialize the batch again",
        ) from fault
    return Champion(ModelVersion.from_files(result.files), commit, result.provenance.commit)


def champion_digest(repository: VersionedRepository) -> str | None:
    """What identifies the champion, for the digest of inputs; None where there is none."""
    if CHAMPION not in repository.branches(CHAMPION):
        return None
    return repository.tree_digest(CHAMPION, f"{CHAMPION}/")


def batch_of(stage: Stage) -> Batch:
    """The batch that this step reads, as it was accepted."""
    return Batch(stage.repository, stage.data_commit, stage.batch)


def score_batch(stage: Stage) -> Result:
    """Score every row of a batch with the champion."""
    batch = batch_of(stage)
    champion = champion_of(stage.repository, stage.keys.name)
    with ScoringSession(champion.version) as session:
        table = predict(session, batch.batches(session.features), batch.record.rows, stage.progress)
    return Result(
        asset="batch_predictions",
        provenance=stage.provenance(model=champion.version.digest),
        tables={"predictions": table},
        facts={"rows": table.num_rows, "champion_commit": champion.commit, "reference_commit": champion.data_commit},
    )
