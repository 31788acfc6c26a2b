"""What is predicted of the rows of a batch: what was logged when it was decided, else what the champion says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.charts.text import count, how_many
from rai_assets.compute.kept import Kept
from rai_assets.data.contract import Contract
from rai_assets.errors import InputRefused, RaiError, Undefined, UsageError
from rai_assets.keys import CHAMPION
from rai_assets.model.decision import decide
from rai_assets.model.encoding import Feature
from rai_assets.model.predictions import DECISION, SCORE, predict
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.version import ModelVersion
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.settings import LoggedSettings
from rai_assets.monitoring.checks import EVERY_ROW_PREDICTED
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage

PREDICTIONS = "predictions"  # the table of the result
_CHAMPIONS, _DIGESTS = Kept(2), Kept(2)
_TOLERANCE = 1e-6  # of a score that was logged and the same one computed again


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
        return _CHAMPIONS.once((repository.repository, commit), lambda: _champion(repository, commit))
    except NotFound as fault:
        raise RaiError(
            f"{use_case} has no champion yet that could score a batch",
            where=use_case,
            fix=f"`rai run {use_case}` promotes one when the gate of main holds; then materialize the batch again",
        ) from fault


def _champion(repository: VersionedRepository, commit: str) -> Champion:
    result = results.load(repository, commit, CHAMPION)
    return Champion(ModelVersion.from_files(result.files), commit, result.provenance.commit)


def champion_digest(repository: VersionedRepository) -> str | None:
    """What identifies the champion, for the digest of inputs; None where there is none."""
    head = repository.branches(CHAMPION).get(CHAMPION)
    if head is None:
        return None
    return _DIGESTS.once((repository.repository, head), lambda: repository.tree_digest(head, f"{CHAMPION}/"))


def batch_of(stage: Stage) -> Batch:
    """The batch that this step reads, as it was accepted."""
    return stage.kept.once("batch", lambda: Batch(stage.repository, stage.data_commit, stage.batch))


def score_batch(stage: Stage, logged: LoggedSettings) -> Result:
    """Score every row of a batch with the champion; what was logged takes the place of its answer.

    Where predictions were logged, the champion's stand beside them in columns `champion_...`, and how far the two
    differ is told.

    Args:
        stage: The step on the batch.
        logged: Columns of the batch with logged predictions.
    """
    batch = batch_of(stage)
    champion = champion_of(stage.repository, stage.keys.name)
    there = [name for name in logged.columns if name in batch.contract]
    given = batch.table(there) if there else pa.table({})
    lacks = lacking(champion.version.features, batch.contract)
    differences: list[dict[str, Any]] = []
    table: pa.Table | None
    if lacks:
        table = logged_alone(given, logged, champion.version)
    else:
        with ScoringSession(champion.version) as session:
            scored = predict(session, batch.batches(session.features), batch.record.rows, stage.progress)
        table, differences = with_logged(scored, given, logged, champion.version)
    why = f"the champion reads {', '.join(lacks.values())}" if lacks else ""
    rows = batch.record.rows
    predicted = 0 if table is None else rows - max(column.null_count for column in table.columns)
    return Result(
        asset="batch_predictions",
        provenance=stage.provenance(model=champion.version.digest),
        tables={} if table is None else {PREDICTIONS: table},
        notes=[item["sentence"] for item in differences],
        facts={
            "rows": rows,
            "champion_commit": champion.commit,
            "reference_commit": champion.data_commit,
            "logged": differences,
            "unscored": why,
            "checks": {EVERY_ROW_PREDICTED: _every_row(predicted, rows, why, stage.keys.name)},
        },
    )


def _every_row(predicted: int, rows: int, why: str, name: str) -> dict[str, Any]:
    """Whether every row has a prediction; `why` says what keeps the champion from scoring them, if anything does."""
    if not why:
        return {"passed": True, "sentence": "the champion scored every row"}
    has = f"{count(predicted)} of {how_many(rows, 'row')} have a logged" if predicted else "no row has a"
    fix = (
        "Send the batch again with it; or, if this is how the data will be, declare it so, audit a model that does not "
        f"read it (rai run {name}), and when it is promoted: rai backfill {name} --again."
    )
    return {"passed": predicted == rows, "sentence": f"{has} prediction: {why}. {fix}"}


def predictions_of(stage: Stage) -> pa.Table:
    """The predictions of a batch, as `batch_predictions` keeps them; null where none was logged and none was made.

    Raises:
        Undefined: The champion cannot score the batch, and nothing was logged.
    """
    result = stage.result("batch_predictions")
    if PREDICTIONS not in result.tables:
        raise Undefined(result.facts["unscored"])
    return result.tables[PREDICTIONS]


def lacking(features: Sequence[Feature], contract: Contract) -> dict[str, str]:
    """What a model reads and rows of a contract do not have, {feature: in words}.

    Args:
        features: The columns that the model reads.
        contract: Of the rows.
    """
    found = {}
    for feature in features:
        dtype = contract[feature.name].dtype if feature.name in contract.names else None
        if dtype is None or contract[feature.name].roles == ("ignored",):
            found[feature.name] = f"{feature.name!r}, which is not there"
        elif feature.kind != "category" and dtype not in ("number", "integer", "boolean"):
            what = "truth values" if feature.kind == "boolean" else "numbers"
            found[feature.name] = f"{what} in {feature.name!r}, which is {dtype}"
    return found


def logged_alone(batch: pa.Table, logged: LoggedSettings, version: ModelVersion) -> pa.Table | None:
    """Logged predictions in the form of the champion's, null where nothing was logged; None if nothing was at all.

    Args:
        batch: The columns of the batch with logged ones, as far as they are there.
        logged: What they are.
        version: The champion, which cannot score the batch.

    Raises:
        InputRefused: A logged decision is no class of the champion.
    """
    there = {
        own: batch.column(name).combine_chunks()
        for own, name in ((SCORE, logged.score), (DECISION, logged.decision))
        if name in batch.column_names and batch.column(name).null_count < batch.num_rows
    }
    found = {}
    if SCORE in there:
        found[SCORE] = there[SCORE].cast(pa.float64())
        if version.task == "binary":
            found[DECISION] = _decided(found[SCORE], version)
    if DECISION in there:
        codes = _codes(there[DECISION], version, str(logged.decision))
        found[DECISION] = pc.coalesce(codes, found[DECISION]) if DECISION in found else codes
    return pa.table(found) if found else None


def with_logged(
    scored: pa.Table, batch: pa.Table, logged: LoggedSettings, version: ModelVersion
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Predictions in which those that were logged take the place of the champion's.

    Args:
        scored: The champion's predictions.
        batch: The columns of the batch with logged ones, as far as they are there.
        logged: What they are.
        version: The champion.

    Returns:
        The predictions, with the champion's beside them where some were logged; and of every logged column how many
        rows have it and how far it differs.

    Raises:
        InputRefused: A logged decision is no class of the champion.
        UsageError: A score was logged of one among several classes.
    """
    differences: list[dict[str, Any]] = []
    if logged.score in batch.column_names and SCORE not in scored.column_names:
        raise UsageError(
            f"{logged.score!r} cannot be the score of one among several classes",
            where="production: logged: score",
            fix="declare the logged `decision` alone",
        )
    champions = {own: scored.column(own).combine_chunks() for own in (SCORE, DECISION) if own in scored.column_names}
    for own, name in ((SCORE, logged.score), (DECISION, logged.decision)):
        if name is None or name not in batch.column_names or not (rows := len(batch.column(name).drop_null())):
            continue
        said = batch.column(name).combine_chunks()
        values = said if own == SCORE else _codes(said, version, name)
        champion = champions[own]
        present = scored.column(own).combine_chunks()
        kept = pc.coalesce(values.cast(champion.type), present)
        apart = pc.abs(pc.subtract(kept.cast(pa.float64()), champion.cast(pa.float64()))).filter(said.is_valid())
        share = float(pc.mean(pc.greater(apart, _TOLERANCE if own == SCORE else 0.5)).as_py())
        largest = float(pc.max(apart).as_py())
        sentence = f"{share:.2%} of {rows:,} logged values of {name!r} differ from the champion's"
        sentence += f", by up to {largest:.4g}." if own == SCORE and share else "."
        differences.append({"column": name, "rows": rows, "share": share, "largest": largest, "sentence": sentence})
        scored = scored.set_column(scored.column_names.index(own), own, kept)
        if own == SCORE and DECISION in champions:
            # A logged score is decided by the champion's threshold, unless a decision was logged beside it.
            decided = _decided(kept, version).cast(champions[DECISION].type)
            scored = scored.set_column(scored.column_names.index(DECISION), DECISION, decided)
    if differences:
        for own, champion in champions.items():
            if not scored.column(own).combine_chunks().equals(champion) or getattr(logged, own) in batch.column_names:
                scored = scored.append_column(f"champion_{own}", champion)
    return scored, differences


def _decided(score: pa.Array, version: ModelVersion) -> pa.Array:
    """The decisions on scores of two classes by the champion's threshold; null where there is no score."""
    values = score.to_numpy(zero_copy_only=False)
    by_score = decide(np.column_stack([1 - values, values]), version.threshold)
    return pc.if_else(score.is_valid(), pa.array(by_score), None)


def _codes(decisions: pa.Array, version: ModelVersion, name: str) -> pa.Array:
    """Decided values as codes of the champion's classes; of two every value but the positive one is negative."""
    texts = decisions.cast(pa.string())
    if version.task == "binary":
        return pc.equal(texts, version.classes[1]).cast(pa.int8())
    codes = pc.index_in(texts, pa.array(version.classes, pa.string()))
    strange = texts.filter(pc.and_(codes.is_null(), texts.is_valid()))
    if len(strange):
        raise InputRefused(
            f"{strange[0].as_py()!r} is no class of the champion",
            where=name,
            fix=f"log one of {', '.join(version.classes)}, or leave the column out of `production: logged: decision`",
        )
    return codes
