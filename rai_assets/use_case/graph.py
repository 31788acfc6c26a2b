"""The asset graph of one use case, and what all use cases of a code location share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from rai_assets.analysis.evaluation.assets import evaluation
from rai_assets.analysis.explanation.assets import explanations
from rai_assets.analysis.fairness.assets import fairness_audit
from rai_assets.data.assets import dataset_asset, splits
from rai_assets.home import home
from rai_assets.keys import MAIN, UseCaseKeys
from rai_assets.metrics.requirements import Requirement
from rai_assets.model.assets import champion_asset, model_version, predictions
from rai_assets.report.assets import scorecard_asset
from rai_assets.store.assets import ResultAsset, branch_partitions
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Broken, Declared
from rai_assets.use_case.quiet import quiet

_SENSOR_SECONDS = 30
LAKE = Lake()  # one object: definitions that bind the same resource can be merged


@quiet()
def build(declared: Declared) -> dg.Definitions:
    """Assets, checks and jobs of one use case."""
    use_case = declared.use_case
    keys = use_case.keys(f"{declared.path}:{declared.line}")
    requirements = [item.as_requirement() for item in use_case.requirements]
    stages = result_assets(declared, requirements)
    audited = [
        dataset_asset(keys, use_case.dataset, declared.folder),
        *[stage.build(keys) for stage in stages],
        scorecard_asset(
            keys,
            use_case.display_title,
            use_case.description,
            requirements,
            [stage.thing for stage in stages if stage.stage == "analysis"],
            has_model=use_case.model is not None,
        ),
    ]
    promotion = [] if use_case.model is None else [champion_asset(keys)]
    jobs = _jobs(keys, audited, promotion)
    return dg.Definitions(assets=[*audited, *promotion], jobs=jobs, resources={"lake": LAKE})


def result_assets(declared: Declared, requirements: Sequence[Requirement]) -> list[ResultAsset]:
    """The assets between the dataset and the scorecard, in the order in which they are made."""
    use_case = declared.use_case
    trained: list[ResultAsset] = []
    asked: list[ResultAsset] = []
    has_model = use_case.model is not None
    if use_case.model is not None:
        trained = [
            splits(use_case.dataset),
            model_version(use_case.model, declared.folder),
            predictions(use_case.model),
        ]
        asked = [explanations(use_case.analyses.explanation, requirements)]
    return [
        *trained,
        evaluation(use_case.analyses.evaluation, requirements, has_model=has_model),
        fairness_audit(use_case.analyses.fairness, requirements, has_model=has_model),
        *asked,
    ]


def _jobs(
    keys: UseCaseKeys, audited: Sequence[dg.AssetsDefinition], promotion: Sequence[dg.AssetsDefinition]
) -> list[Any]:
    jobs = [
        dg.define_asset_job(
            keys.audit_job,
            selection=dg.AssetSelection.assets(*audited),
            description=f"Refreshes and audits one data branch of {keys.name}.",
        )
    ]
    if promotion:
        jobs.append(
            dg.define_asset_job(
                keys.promotion_job,
                selection=dg.AssetSelection.assets(*promotion),
                description=f"Moves the champion of {keys.name} when the gate of its main branch holds.",
            )
        )
    return jobs


def broken_definitions(broken: Broken) -> dg.Definitions:
    """A visible asset in place of a use case that cannot be loaded."""
    text = str(broken.error).replace("```", "'''")
    spec = dg.AssetSpec(
        [broken.name, "broken_use_case"],
        group_name="broken",
        kinds={"error"},
        description=f"This declaration cannot be loaded.\n\n```\n{text}\n```",
    )
    return dg.Definitions(assets=[spec])


def location_definitions(declared: Sequence[Declared]) -> dg.Definitions:
    """What the code location has once: the executor and the sensors that are on by default."""
    return dg.Definitions(
        executor=dg.in_process_executor,
        resources={"lake": LAKE},
        sensors=[
            _branch_sensor([item.use_case.keys() for item in declared]),
            _dead_run_sensor(),
            dg.AutomationConditionSensorDefinition(
                "automation",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=_SENSOR_SECONDS,
                description="Requests what its automation condition asks for, e.g. the champion after a passed gate.",
            ),
        ],
    )


def _branch_sensor(use_cases: Sequence[UseCaseKeys]) -> dg.SensorDefinition:
    @dg.sensor(
        name="data_branches",
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mirrors the store's data branches as partitions: a new branch appears, a deleted one leaves.",
    )
    def data_branches(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        changes = []
        for keys in use_cases:
            changes += partition_changes(keys, data_branch_names(lake, keys), context.instance)
        return dg.SensorResult(dynamic_partitions_requests=changes) if changes else dg.SkipReason("no branch changed")

    return data_branches


def _dead_run_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process died without a word, e.g. with the machine.",
    )
    def dead(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = end_dead_runs(home(), context.instance)
        return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "every run that was started is worked on")

    return dead


def end_dead_runs(folder: Path, instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process ended without a word; returns their ids."""
    from rai_assets.store.turns import dead_runs

    ended = []
    for run_id in dead_runs(folder):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, "The process of this run ended without a word.")
            ended.append(run_id)
    return ended


def data_branch_names(lake: Lake, keys: UseCaseKeys) -> list[str]:
    """The branches of a use case that are data branches; `main` first."""
    from rai_assets.store.names import reserved

    names = [name for name in lake.repository(keys).branches() if not reserved(name)]
    return sorted(names, key=lambda name: (name != MAIN, name))


def partition_changes(
    keys: UseCaseKeys, branches: Sequence[str], instance: dg.DagsterInstance
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """What must be added to and deleted from the partitions so that they mirror `branches`."""
    partitions = branch_partitions(keys)
    present = instance.get_dynamic_partitions(keys.branch_partitions)
    new = [name for name in branches if name not in present]
    gone = [name for name in present if name not in branches]
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if new:
        requests.append(partitions.build_add_request(new))
    if gone:
        requests.append(partitions.build_delete_request(gone))
    return requests
