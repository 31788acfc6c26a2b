"""The asset graph of one use case, and what all use cases of a code location share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from rai_assets.analysis.evaluation.assets import evaluation
from rai_assets.analysis.explanation.assets import explanations
from rai_assets.analysis.fairness.assets import fairness_audit
from rai_assets.compute.resource import ComputePool
from rai_assets.data.assets import dataset_asset, splits
from rai_assets.home import home
from rai_assets.keys import CHAMPION, UseCaseKeys
from rai_assets.metrics.requirements import Requirement
from rai_assets.model.assets import champion_asset, model_version, predictions
from rai_assets.monitoring.assets import batch_assets
from rai_assets.monitoring.batches.assets import batch_asset
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.report.assets import monitoring_report_asset, scorecard_asset
from rai_assets.store.assets import ResultAsset
from rai_assets.store.resource import Lake
from rai_assets.use_case.alerting import alert_sensor
from rai_assets.use_case.arrivals import arrivals_sensor
from rai_assets.use_case.automation import by_itself
from rai_assets.use_case.declaration import Broken, Declared
from rai_assets.use_case.observer import SENSOR_SECONDS, branch_sensor
from rai_assets.use_case.quiet import quiet
from rai_assets.use_case.schedules import audit_schedule, report_schedule, retention_job, retention_schedule

LAKE = Lake()
RESOURCES = {"lake": LAKE, "compute_pool": ComputePool()}  # one object each: so definitions can be merged


@quiet()
def build(declared: Declared) -> dg.Definitions:
    """Assets, checks, jobs, sensors and schedules of one use case."""
    use_case = declared.use_case
    keys = use_case.keys(f"{declared.path}:{declared.line}")
    requirements = declared.requirements
    stages = result_assets(declared, requirements)
    assets = [
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
    audit_job = _audit_job(declared)
    jobs = [audit_job]
    if use_case.model is not None:
        assets.append(champion_asset(keys))
        jobs.append(_promotion_job(keys))
    sensors, schedules = [], []
    if use_case.schedules.audit is not None:
        schedules.append(audit_schedule(keys, use_case.schedules.audit, audit_job))
    if use_case.production is not None:
        asked = questions(declared)
        assets += _production_assets(declared, keys, use_case.production, asked)
        batch_job = _production_job(keys, ["batch", *(asset.thing for asset in asked)])
        report_job = _monitoring_report_job(keys)
        jobs += [batch_job, report_job]
        sensors.append(arrivals_sensor(declared, batch_job))
        if use_case.schedules.report is not None:
            schedules.append(report_schedule(keys, use_case.schedules.report, report_job))
    if use_case.retention.ages:
        jobs.append(removal := retention_job(declared))
        if use_case.schedules.retention is not None:
            schedules.append(retention_schedule(keys, use_case.schedules.retention, removal))
    fresh = use_case.freshness.of_assets
    return dg.Definitions(
        assets=[by_itself(asset, fresh) for asset in assets],
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=RESOURCES,
    )


def _production_assets(
    declared: Declared, keys: UseCaseKeys, production: ProductionSettings, asked: Sequence[ResultAsset]
) -> list[dg.AssetsDefinition]:
    """A batch, the questions asked of it, and the report on a window of batches."""
    use_case, folder = declared.use_case, declared.folder
    return [
        batch_asset(keys, use_case.dataset, production, folder),
        *(asset.build(keys) for asset in asked),
        monitoring_report_asset(
            keys,
            use_case.display_title,
            use_case.description,
            use_case.dataset,
            production,
            folder,
            [asset.thing for asset in asked],
        ),
    ]


def questions(declared: Declared) -> list[ResultAsset]:
    """What is asked of every accepted batch of a use case that declares its production."""
    use_case = declared.use_case
    assert use_case.production is not None  # noqa: S101
    return batch_assets(
        use_case.production,
        use_case.analyses.explanation,
        requirements=declared.requirements,
        reference_groups=use_case.analyses.fairness.reference,
        has_model=use_case.model is not None,
        media=use_case.dataset.media,
        folder=declared.folder,
    )


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


def _audit_job(declared: Declared) -> Any:
    things = ("dataset", *(stage.thing for stage in result_assets(declared, ())), "scorecard")
    return _audit_job_of(declared.use_case.keys(), things)


@cache  # one object: the graph defines it, and the sensor names it
def _audit_job_of(keys: UseCaseKeys, things: tuple[str, ...]) -> Any:
    return _job(keys, keys.audit_job, things, f"Refreshes and audits one data branch of {keys.name}.")


def _promotion_job(keys: UseCaseKeys) -> Any:
    does = f"Moves the champion of {keys.name} when the gate of its main branch holds."
    return _job(keys, keys.promotion_job, [CHAMPION], does)


def _production_job(keys: UseCaseKeys, things: Sequence[str]) -> Any:
    return _job(keys, keys.production_job, things, f"Audits and scores one batch of {keys.name}'s production.")


def _monitoring_report_job(keys: UseCaseKeys) -> Any:
    does = f"Makes the report on {keys.name}'s production over the year that ends with its newest batch."
    return _job(keys, keys.monitoring_report_job, ["monitoring_report"], does)


def _job(keys: UseCaseKeys, name: str, things: Sequence[str], does: str) -> Any:
    made = dg.AssetSelection.assets(*(keys.asset(thing) for thing in things))
    return dg.define_asset_job(name, selection=made, description=does)


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
    telling = [item for item in declared if item.use_case.alerts.rules]
    return dg.Definitions(
        executor=dg.in_process_executor,
        resources=RESOURCES,
        sensors=[
            branch_sensor(declared, [_audit_job(item) for item in declared]),
            _dead_run_sensor(),
            *([alert_sensor(telling)] if telling else []),
            dg.AutomationConditionSensorDefinition(
                "automation",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=SENSOR_SECONDS,
                description="Requests what its automation condition asks for, e.g. the champion after a passed gate.",
            ),
        ],
    )


def _dead_run_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=SENSOR_SECONDS,
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
