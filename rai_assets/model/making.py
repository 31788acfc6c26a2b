"""The model's steps of an audit: a version from the training rows, predictions of all rows, the promotion."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rai_assets.data.dataset import Dataset
from rai_assets.data.splits import code_of
from rai_assets.errors import RaiError
from rai_assets.keys import CHAMPION
from rai_assets.metrics.number import Number
from rai_assets.model.predictions import predict, scores_of
from rai_assets.model.promotion import Comparison, Decision, compare, decide
from rai_assets.model.rows import scored_rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.version import ModelVersion, library_versions
from rai_assets.store import results
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage


def dataset_of(stage: Stage) -> Dataset:
    """The published data that this step reads."""
    return Dataset(stage.repository, stage.data_commit)


def version_of(stage: Stage) -> ModelVersion:
    """The model version that this step reads."""
    return ModelVersion.from_files(stage.result("model").files)


def make_version(stage: Stage, settings: ModelSettings, folder: Path) -> Result:
    """Train, export and gate a version on the training rows; its result holds the ONNX file.

    Args:
        stage: The step that makes it.
        settings: The declared model.
        folder: The use case's folder, for factories and supplied files.

    Raises:
        RaiError: As `training.train`.
    """
    from rai_assets.model.training import train

    dataset = dataset_of(stage)
    table = dataset.table(split="train")
    version = train(table, dataset.contract, settings, stage.progress, folder=folder, commit=stage.data_commit)
    provenance = stage.provenance(model=version.digest, seed=settings.seed)
    numbers = [Number.from_json(value).pinned(provenance) for value in version.training["numbers"]]
    return Result(
        asset="model",
        provenance=provenance,
        numbers=numbers,
        notes=list(version.training["notes"]),
        files=version.files(),
        facts={"version": _facts(version), "splits": stage.result("splits").facts["splits"], **_parity(version)},
    )


def outside_of(settings: ModelSettings, folder: Path) -> dict[str, Any]:
    """What a version depends on beside the declaration and the data: libraries, the ONNX file, the factory's code."""
    from rai_assets.model.adoption import supplied_bytes

    contents: dict[str, bytes] = {}
    if settings.onnx is not None:
        contents = {settings.onnx.path: supplied_bytes(settings.onnx, folder)}
    elif settings.factory is not None:
        files = [*sorted(folder.glob("**/*.py")), *_installed(settings.factory.partition(":")[0])]
        contents = {path.name: path.read_bytes() for path in files if path.is_file()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return {"libraries": library_versions(), "files": digests}


def _installed(module: str) -> list[Path]:
    """The file of an installed module; none where the module stands in the use case's folder."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    return [Path(found.origin)] if found is not None and found.origin else []


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {
        "digest": version.digest,
        "estimator": version.estimator,
        "task": version.task,
        "threshold": version.threshold if version.task == "binary" else None,
        "parameters": dict(version.parameters),
        "libraries": dict(version.libraries),
    }


def _parity(version: ModelVersion) -> dict[str, Any]:
    if version.parity is None:
        return {"parity_sentence": "The file was supplied; there is no original to compare it with."}
    report = version.parity
    rows = sum(report["rows"].values())
    sentence = (
        f"The exported file answers as the fitted model on {rows:,} rows, missing and unseen values among them: "
        f"largest {report['measure']} {report['max_difference']:.1g}, {report['tolerance']:.0g} is allowed."
    )
    return {"parity_sentence": sentence, "parity_difference": report["max_difference"]}


def make_predictions(stage: Stage) -> Result:
    """Score every row of the data once."""
    dataset, version = dataset_of(stage), version_of(stage)
    with ScoringSession(version) as session:
        table = predict(session, dataset.batches(session.features), dataset.row_count, stage.progress)
    return Result(asset="predictions", provenance=stage.provenance(model=version.digest), tables={"predictions": table})


@dataclass(frozen=True)
class Promotion:
    """What became of a request to promote.

    Attributes:
        decision: Whether the champion moved, and why.
        challenger: Digest of the audited model.
        serving: Digest of the model that serves now, or None.
        commit: The promotion's commit on the branch `champion`, or None.
    """

    decision: Decision
    challenger: str
    serving: str | None
    commit: str | None


def promote(stage: Stage) -> Promotion:
    """Move the champion to the audited model where its stored verdicts and the comparison allow it.

    The verdicts are read again from the stored scorecard; nothing is taken from the caller.
    """
    scorecard, challenger = stage.result("scorecard"), version_of(stage)
    present = _present(stage)
    same = present is not None and present.digest == challenger.digest
    comparison, obstacle = None, ""
    if present is not None and not same:
        try:
            comparison = _compare(stage, challenger, present)
        except (RaiError, ValueError) as error:
            obstacle = str(error.what if isinstance(error, RaiError) else error)
    gate_holds = scorecard.facts["gate"] == "pass"
    decision = decide(gate_holds=gate_holds, same_model=same, comparison=comparison, obstacle=obstacle)
    if not decision.promote:
        return Promotion(decision, challenger.digest, present.digest if present else None, None)
    result = Result(
        asset=CHAMPION,
        provenance=stage.provenance(model=challenger.digest),
        files=challenger.files(),
        facts={"decision": decision.reason, "verdicts": scorecard.facts["verdicts"]},
    )
    commit = results.save(
        stage.repository,
        CHAMPION,
        result,
        challenger.digest,
        message=decision.reason,
        metadata={**stage.run_words, "results_commit": stage.results_commit, "data_commit": stage.data_commit},
    )
    return Promotion(decision, challenger.digest, challenger.digest, commit.id)


def _present(stage: Stage) -> ModelVersion | None:
    if CHAMPION not in stage.repository.branches() or CHAMPION not in results.assets(stage.repository, CHAMPION):
        return None
    return ModelVersion.from_files(results.load(stage.repository, CHAMPION, CHAMPION).files)


def _compare(stage: Stage, challenger: ModelVersion, champion: ModelVersion) -> Comparison:
    """Both models on the audited rows."""
    dataset = dataset_of(stage)
    table = dataset.table(split="test")
    scores = scores_of(stage.result("predictions").tables["predictions"])[dataset.split_codes == code_of("test")]
    ours = scored_rows(dataset.contract, table, "test", scores, challenger.threshold).rows
    with ScoringSession(champion) as session:
        before = scored_rows(dataset.contract, table, "test", session.scores(table), champion.threshold).rows
    return compare(ours, replace(before, weight=ours.weight))
