"""The assets `dataset` (written, audited, and only then published) and `splits`."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.data.settings import DatasetSettings
from rai_assets.keys import UseCaseKeys
from rai_assets.store.assets import ResultAsset, branch_partitions, common_attributes, materialization, open_stage
from rai_assets.store.resource import Lake

if TYPE_CHECKING:
    from rai_assets.data.ingest import Ingested
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

DATASET = """\
The data of this use case, read from the declared files and checked against its contract.

It is written on a branch of its own first; only when every rule of the contract holds is it published. Data that were
given to a branch (`rai ingest`), or edited there, are not replaced by the declared files but checked as they stand.
The columns that describe groups of people are tagged `sensitive`."""

SPLITS = """\
Which rows the model learns from and which are kept for the audit. The same rows on the same data, every time."""


def dataset_asset(keys: UseCaseKeys, settings: DatasetSettings, folder: Path) -> dg.AssetsDefinition:
    """The dataset of a use case with one blocking check per kind of contract rule.

    Args:
        keys: Names of the use case.
        settings: The declared files and contract.
        folder: Where the declared paths start from.
    """
    from rai_assets.data.rules import rules_of

    rules = rules_of(settings)
    specs = [
        dg.AssetCheckSpec(
            rule.name,
            asset=dg.AssetKey(keys.asset("dataset")),
            blocking=True,
            description=rule.description,
            metadata={"columns": ", ".join(rule.columns)},
            partitions_def=branch_partitions(keys),
        )
        for rule in rules
    ]

    @dg.asset(
        key=keys.asset("dataset"),
        output_required=False,
        check_specs=specs,
        **common_attributes(keys, "data", frozenset({"parquet"}), DATASET),
    )
    def dataset(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        from rai_assets.data.ingest import audit_branch, ingest, stands_alone

        with open_stage(context, lake, keys, "dataset") as stage:
            words = {**stage.run_words, "use_case": keys.name}
            place = (stage.repository, stage.branch)
            if stands_alone(*place):
                ingested = audit_branch(settings, *place, run_id=stage.run_id, metadata=words, progress=stage.progress)
            else:
                ingested = ingest(
                    settings, folder, *place, run_id=stage.run_id, metadata=words, progress=stage.progress
                )
            if ingested.accepted:
                result, commit, reused = _publish(stage, ingested)
                yield materialization(stage, result, commit, reused, _present(result))
            yield from _rule_checks(ingested)  # after it, or Dagster's pages count them as missing

    return dataset


def _rule_checks(ingested: "Ingested") -> Iterator[dg.AssetCheckResult]:
    # A rule that a person let the data pass in spite of stays failed, and stops nothing.
    severity = dg.AssetCheckSeverity.WARN if ingested.accepted else dg.AssetCheckSeverity.ERROR
    for rule in ingested.rules:
        yield dg.AssetCheckResult(
            check_name=rule.rule,
            passed=rule.passed,
            severity=severity,
            description=rule.sentence,
            metadata={
                "violations": rule.count,
                "columns": ", ".join(rule.columns),
                "commit": ingested.commit,
                "branch": ingested.branch,
            },
        )


def _publish(stage: "Stage", ingested: "Ingested") -> "tuple[Result, str, bool]":
    """Store what is known of the published data as the result of `dataset`."""
    from rai_assets.data.dataset import Dataset
    from rai_assets.data.summary import summarize
    from rai_assets.provenance import Provenance, digest_of
    from rai_assets.store import results

    digest = digest_of({"asset": "dataset", "commit": ingested.commit})
    found = results.find(stage.repository, stage.results_branch, "dataset", digest)
    if found is not None:
        return results.load(stage.repository, found.id, "dataset"), found.id, True
    provenance = Provenance(stage.keys.name, stage.branch, ingested.commit)
    found_out = summarize(Dataset(stage.repository, ingested.commit), provenance, ingested.rules, stage.progress)
    result = replace(found_out, facts={**found_out.facts, results.DATA: ingested.version})
    return result, stage.save(result, digest), False


def _present(result: "Result") -> dict[str, Any]:
    facts = result.facts
    columns = [
        dg.TableColumn(
            column["name"],
            column["dtype"],
            description=column["description"] or None,
            tags=dict.fromkeys(column["roles"], ""),
            constraints=dg.TableColumnConstraints(nullable=column["missing"] != 0),
        )
        for column in facts["columns"]
    ]
    return {
        "dagster/row_count": facts["rows"],
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "preview": dg.MetadataValue.md(facts["preview"]),
        "statistics": dg.MetadataValue.json(facts["statistics"]),
    }


def splits(settings: DatasetSettings) -> ResultAsset:
    """The asset that assigns every row to train, calibration or test."""

    def compute(stage: "Stage") -> "Result":
        from rai_assets.data.summary import summarize_splits

        return summarize_splits(stage)

    return ResultAsset(
        thing="splits",
        description=SPLITS,
        stage="data",
        kinds=frozenset({"parquet"}),
        reads=("dataset",),
        follows=("dataset",),
        settings=settings.split.model_dump(mode="json") if settings.split is not None else None,
        compute=compute,
        present=lambda result: {f"rows {name}": count for name, count in result.facts["splits"].items()},
    )
