"""The assets `batch` (written, audited, and only then published) and `batch_predictions`."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.data.settings import DatasetSettings
from rai_assets.keys import CHAMPION, UseCaseKeys
from rai_assets.monitoring.batches.rules import blocking, rule_descriptions
from rai_assets.monitoring.batches.settings import LoggedSettings
from rai_assets.monitoring.checks import ANSWERED
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.store.assets import ResultAsset, common_attributes, materialization, open_batch, partitions_of
from rai_assets.store.resource import Lake

if TYPE_CHECKING:
    from rai_assets.monitoring.batches.accept import Accepted
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

BATCH = """\
One batch of production: the rows of the files that arrived for it, checked against the contract.

It is written on a branch of its own first; only when every rule of the contract holds is it published on the branch
`production`. Otherwise it stays in quarantine, and no other batch waits for it. A corrected file makes the batch again,
as a new revision."""

PREDICTIONS = """\
What the serving model says of every row of a batch, computed once and read by every question asked of it."""


def batch_asset(
    keys: UseCaseKeys, dataset: DatasetSettings, settings: ProductionSettings, folder: Path
) -> dg.AssetsDefinition:
    """The rows of one batch, with one check per kind of rule.

    Args:
        keys: Names of the use case.
        dataset: The declared contract.
        settings: The declared production.
        folder: Where the declared paths start from.
    """
    rules = rule_descriptions(dataset)
    specs = [
        dg.AssetCheckSpec(
            rule,
            asset=dg.AssetKey(keys.asset("batch")),
            blocking=blocking(rule),
            description=description,
            partitions_def=partitions_of(keys, "batch"),
        )
        for rule, description in rules.items()
    ]

    @dg.asset(
        key=keys.asset("batch"),
        output_required=False,
        check_specs=specs,
        **common_attributes(keys, "monitoring", frozenset({"parquet"}), BATCH, "batch"),
    )
    def batch(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        from rai_assets.home import home
        from rai_assets.monitoring.batches.production import Production
        from rai_assets.monitoring.batches.summary import summarize

        with open_batch(context, lake, keys, "batch") as stage:
            production = Production(keys, dataset, settings, folder, home())
            accepted = production.audit(stage)
            if accepted.published:
                production.label_inbox.join(stage.repository, [stage.batch], stage.run_words)
                result, commit, reused = summarize(stage, accepted)
                yield materialization(stage, result, commit, reused, present_batch(result))
            yield from check_results(accepted, list(rules))  # after it, or Dagster's pages count them as missing

    return batch


def check_results(accepted: "Accepted", rules: Sequence[str]) -> Iterator[dg.AssetCheckResult]:
    """What the audit of a batch found, by the declared checks."""
    found = {item.rule: item for item in accepted.findings}
    for rule in rules:
        item = found.get(rule)
        error = item is not None and item.blocking
        yield dg.AssetCheckResult(
            check_name=rule,
            passed=item is None or item.passed,
            severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
            description="The contract of this batch has no such rule." if item is None else item.sentence,
            metadata={
                "violations": 0 if item is None else item.count,
                "columns": "" if item is None else ", ".join(item.columns),
                "revision": accepted.record.revision,
                "files_digest": accepted.record.digest,
                "contract": accepted.record.contract,
                "commit": accepted.commit,
                "branch": accepted.branch,
            },
        )


def present_batch(result: "Result") -> dict[str, Any]:
    """What Dagster shows of a published batch."""
    facts = result.facts
    return {
        "dagster/row_count": facts["rows"],
        "revision": facts["revision"],
        "contract": facts["contract"],
        "time": facts["time"],
        "files": dg.MetadataValue.json(facts["sources"]),
        **({"files that rows name": facts["named"]} if "named" in facts else {}),
    }


def _present_predictions(result: "Result") -> dict[str, Any]:
    logged = {f"share of {item['column']} that differs": item["share"] for item in result.facts["logged"]}
    (check,) = result.facts["checks"].values()
    return {"dagster/row_count": result.facts["rows"], "outcome": check["sentence"], **logged}


def batch_predictions(logged: LoggedSettings) -> ResultAsset:
    """The asset that scores every row of a batch once.

    Args:
        logged: Columns with predictions that were logged.
    """

    def compute(stage: "Stage") -> "Result":
        from rai_assets.monitoring.batches.scoring import score_batch

        return score_batch(stage, logged)

    def outside(stage: "Stage") -> "str | None":
        from rai_assets.monitoring.batches.scoring import champion_digest

        return champion_digest(stage.repository)

    return ResultAsset(
        thing="batch_predictions",
        description=PREDICTIONS,
        stage="monitoring",
        kinds=frozenset({"onnx", "parquet"}),
        reads=("batch",),
        follows=("batch", CHAMPION),
        settings=logged.model_dump(mode="json"),
        compute=compute,
        present=_present_predictions,
        checks=ANSWERED["batch_predictions"],
        outside=outside,
        per="batch",
    )
