"""The assets with a report for people: `scorecard` of an audit, `monitoring_report` of production."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets import __version__
from rai_assets.data.settings import DatasetSettings
from rai_assets.keys import DATA_PREFIX, UseCaseKeys
from rai_assets.metrics.requirements import Requirement
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.store.assets import (
    branch_partitions,
    code_reference,
    common_attributes,
    materialization,
    open_stage,
    told,
)
from rai_assets.store.resource import Lake

if TYPE_CHECKING:
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

DESCRIPTION = """\
The audit for people: whether each requirement holds, what was measured, and a report as one HTML file
(`rai report {name} --open`).

The check `gate` passes when every blocking requirement passes. A requirement that *cannot be told* (its interval lies
on both sides of the limit) is not good enough for the gate. Without the gate no model becomes champion."""

WINDOW_TEXT = """\
The report on production for people: every measure over the batches of a window, the alarms with what is suspected
behind them, and what to do next, as one HTML file (`rai report {name} --production --open`).

It reads what was found of each batch, never rows. The window is the year that ends with the newest batch, or from
`start` to `end` of its configuration."""


class WindowConfig(dg.Config):
    """The window of a report: days, ISO; the year that ends with the newest batch when left out."""

    start: str = ""
    end: str = ""


def monitoring_report_asset(
    keys: UseCaseKeys,
    title: str,
    purpose: str,
    dataset: DatasetSettings,
    settings: ProductionSettings,
    folder: Path,
    follows: Sequence[str],
) -> dg.AssetsDefinition:
    """The report on a window of one use case's production.

    Args:
        keys: Names of the use case.
        title: Its name for people.
        purpose: What is decided, about whom, and what for.
        dataset: The declared contract.
        settings: The declared production.
        folder: Where declared paths start from.
        follows: The questions asked of every batch.
    """

    @dg.asset(
        key=keys.asset("monitoring_report"),
        deps=[dg.AssetKey(keys.asset(name)) for name in follows],
        group_name=keys.name,
        owners=list(keys.owners),
        kinds={"html"},
        tags={"rai/stage": "monitoring"},
        description=WINDOW_TEXT.format(name=keys.name),
        code_version=__version__,
        metadata=code_reference(keys),
    )
    def monitoring_report(context: dg.AssetExecutionContext, config: WindowConfig, lake: Lake) -> dg.MaterializeResult:
        from rai_assets.home import home
        from rai_assets.monitoring.batches.production import Production
        from rai_assets.report.making import make_report, store_report

        with told("monitoring_report"):
            repository = lake.repository(keys)
            production = Production(keys, dataset, settings, folder, home())
            made = make_report(production, repository, title, purpose, _day(config.start), _day(config.end, last=True))
            commit = store_report(made, repository, context.run.run_id)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(made.digest),
                metadata={**_headline(made.result), "window": made.window, "results_commit": commit},
            )

    return monitoring_report


def _day(text: str, *, last: bool = False) -> "datetime | None":
    """The begin of a day in UTC, or its end; None for an empty text."""
    from rai_assets.errors import UsageError

    if not text:
        return None
    try:
        day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no day", where="the window", fix="write it like 2026-01-31") from error
    return day + timedelta(days=1) if last else day


def _headline(result: "Result") -> dict[str, Any]:
    from rai_assets.charts.text import markdown

    facts = result.facts
    said = [f"* **{markdown(item['title'], 90)}**: {markdown(item['advice'], 150)}" for item in facts["alarms"]
            if item["stands"]]  # fmt: skip
    text = ""
    for line in said:
        if len(text) + len(line) > 900:
            text += "* ... the report has them all"
            break
        text += f"{line}\n"
    return {
        "outcome": facts["outcome"],
        "what to do": dg.MetadataValue.md(text or "Nothing was found that chance does not explain."),
        **{name: float(facts[name]) for name in ("batches", "rows", "alarms that stand", "quarantined", "missing")},
        **{name: float(value) for name, value in facts["newest"].items()},
        "report bytes": len(result.files["report.html"]),
    }


def scorecard_asset(
    keys: UseCaseKeys,
    title: str,
    purpose: str,
    requirements: Sequence[Requirement],
    analyses: Sequence[str],
    *,
    has_model: bool,
) -> dg.AssetsDefinition:
    """The scorecard of one use case.

    Args:
        keys: Names of the use case.
        title: Its name for people.
        purpose: What is decided, about whom, and what for.
        requirements: What must hold.
        analyses: The analyses it sums up, in reading order.
        has_model: False where the data carries logged decisions.
    """
    reads = ["dataset", *(["model"] if has_model else []), *analyses]
    settings = {
        "title": title,
        "purpose": purpose,
        "owners": list(keys.owners),
        "requirements": [repr(item) for item in requirements],
    }

    @dg.asset(
        key=keys.asset("scorecard"),
        deps=[dg.AssetKey(keys.asset(name)) for name in analyses],
        check_specs=[
            dg.AssetCheckSpec(
                "gate",
                asset=dg.AssetKey(keys.asset("scorecard")),
                blocking=True,
                description="Every blocking requirement has the verdict `pass`.",
                partitions_def=branch_partitions(keys),
            )
        ],
        **common_attributes(keys, "report", frozenset({"html"}), DESCRIPTION.format(name=keys.name)),
    )
    def scorecard(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        from rai_assets.store.ledger import record_requirements

        with open_stage(context, lake, keys, "scorecard") as stage:

            def compute(stage: "Stage") -> "Result":
                return _score(stage, keys, title, purpose, requirements, analyses, has_model)

            # A scorecard speaks of one branch and one commit; what it sums up may stand for several.
            place = {"branch": stage.branch, "commit": stage.data_commit}
            result, commit, reused = stage.produce("scorecard", {**settings, **place}, reads, compute)
            record_requirements(
                stage.repository, stage.branch, result.facts, requirements, scorecard=commit, run_id=stage.run_id
            )
            return materialization(stage, result, commit, reused, _present(result), [_gate(result.facts)])

    return scorecard


def _score(
    stage: "Stage",
    keys: UseCaseKeys,
    title: str,
    purpose: str,
    requirements: Sequence[Requirement],
    analyses: Sequence[str],
    has_model: bool,
) -> "Result":
    from rai_assets.report.assemble import audit_of
    from rai_assets.report.html import render
    from rai_assets.store.results import Result

    model = stage.result("model") if has_model else None
    provenance = stage.provenance(model=model.provenance.model if model else None)
    audit = audit_of(
        title=title,
        purpose=purpose,
        owners=keys.owners,
        provenance=provenance,
        results_commit=stage.results_commit,
        requirements=requirements,
        dataset=stage.result("dataset"),
        model=model,
        analyses=[stage.result(name) for name in analyses],
    )
    verdicts = [
        {
            "id": item.requirement.id,
            "text": item.requirement.text,
            "verdict": item.verdict.verdict,
            "blocking": item.requirement.blocking,
            "sentence": item.verdict.sentence,
            "address": item.verdict.number.address if item.verdict.number else None,
        }
        for item in audit.judged
    ]
    gate = "pass" if audit.outcome == "none" else audit.outcome
    return Result(
        asset="scorecard",
        provenance=provenance,
        files={"report.html": render(audit).encode()},
        facts={
            "verdicts": verdicts,
            "gate": gate,
            "results": stage.results_commit,
            "data": stage.repository.tree_digest(stage.data_commit, DATA_PREFIX),
        },
    )


def _gate(facts: dict[str, Any]) -> dg.AssetCheckResult:
    gate = facts["gate"]
    blocking = [item for item in facts["verdicts"] if item["blocking"]]
    told = "\n".join(f"{item['id']}: {item['verdict']}. {item['sentence']}" for item in blocking)
    return dg.AssetCheckResult(
        check_name="gate",
        passed=gate == "pass",
        severity=dg.AssetCheckSeverity.ERROR if gate == "fail" else dg.AssetCheckSeverity.WARN,
        description=told or "No blocking requirement is declared, so nothing stands in the way.",
        metadata={verdict: sum(item["verdict"] == verdict for item in blocking) for verdict in _VERDICTS},
    )


_VERDICTS = ("pass", "fail", "cannot tell")


def _present(result: "Result") -> dict[str, Any]:
    from rai_assets.charts.text import markdown

    lines = [
        f"| {markdown(item['id'], 20)} | {item['verdict']} | {markdown(item['sentence'], 160)} |"
        for item in result.facts["verdicts"]
    ]
    table = "| requirement | verdict | |\n|:--|:--|:--|\n"
    shown: list[str] = []
    for line in lines:
        if len(table) + sum(len(item) for item in shown) + len(shown) + len(line) > 940:
            shown.append(f"| {len(lines) - len(shown)} more | | see the report |")
            break
        shown.append(line)
    passed = sum(item["verdict"] == "pass" for item in result.facts["verdicts"])
    return {
        "requirements": dg.MetadataValue.md(table + "\n".join(shown)) if lines else "none declared",
        "requirements passed": passed,
        "report bytes": len(result.files["report.html"]),
    }
