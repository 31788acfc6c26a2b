"""`schedules:` and `freshness:` of a declaration, and what Dagster makes of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from rai_assets.errors import DeclarationError
from rai_assets.home import prepare
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.graph import build, location_definitions
from rai_assets_tests.use_case.conftest import DECLARATION, Rai

NIGHTLY = '  schedules: {audit: {cron: "30 2 * * *", zone: Europe/Berlin, branches: [main, trial]}}\n'


def declared(workplace: Path, more: str) -> Declared:
    path = workplace / "defs" / "loans" / "defs.yaml"
    path.write_text(DECLARATION + more)
    found = load(path)
    assert found is not None
    return found


def schedule(item: Declared) -> dg.ScheduleDefinition:
    definitions = dg.Definitions.merge(location_definitions([item]), build(item))
    return definitions.get_repository_def().get_schedule_def("loans_audit_schedule")


def asked(item: dg.ScheduleDefinition, *branches: str) -> list[str] | str:
    """The branches that a tick asks audits of, with these data branches there; or why it asks for none."""
    prepare()
    with dg.DagsterInstance.get() as instance:
        for branch in instance.get_dynamic_partitions("loans_branch"):
            instance.delete_dynamic_partition("loans_branch", branch)
        instance.add_dynamic_partitions("loans_branch", list(branches))
        at = datetime(2026, 11, 21, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
        answer = item(dg.build_schedule_context(instance, scheduled_execution_time=at))
    if isinstance(answer, dg.SkipReason):
        return str(answer.skip_message)
    assert isinstance(answer, list)
    return [str(request.partition_key) for request in answer]


def test_a_declared_audit_is_a_schedule_that_is_on(workplace: Path) -> None:
    made = schedule(declared(workplace, NIGHTLY))
    assert made.job_name == "loans_audit"
    assert (made.cron_schedule, made.execution_timezone) == ("30 2 * * *", "Europe/Berlin")
    assert made.default_status == dg.DefaultScheduleStatus.RUNNING
    assert asked(made, "main", "trial", "other") == ["main", "trial"]
    assert asked(made, "main") == ["main"]
    assert asked(made) == "there is no data branch main or trial"


def test_what_is_scheduled_is_listed(workplace: Path, rai: Rai) -> None:
    declared(workplace, NIGHTLY)
    said = "  scheduled: audit of main, trial at 30 2 * * * (Europe/Berlin)\n"
    assert rai("list").endswith(said)
    assert rai("validate").endswith(said)


def test_a_weekly_report_is_about_the_week_before_it(workplace: Path, rai: Rai) -> None:
    weekly = '  schedules: {report: {cron: "0 1 * * mon", zone: Europe/Berlin, days: 7}}\n'
    item = declared(workplace, weekly + "  production: {inbox: {path: inbox}}\n")
    repository = dg.Definitions.merge(location_definitions([item]), build(item)).get_repository_def()
    made = repository.get_schedule_def("loans_monitoring_report_schedule")
    assert (made.cron_schedule, made.execution_timezone) == ("0 1 * * mon", "Europe/Berlin")
    assert made.default_status == dg.DefaultScheduleStatus.RUNNING
    at = datetime(2026, 11, 23, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    with dg.DagsterInstance.ephemeral() as instance:
        asked = made(dg.build_schedule_context(instance, scheduled_execution_time=at))
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_config["ops"]["loans__monitoring_report"]["config"] == {"start": "2026-11-16", "end": "2026-11-22"}
    assert dg.validate_run_config(repository.get_job("loans_monitoring_report"), asked.run_config)
    assert "  scheduled: report on the last 7 days of production at 0 1 * * mon (Europe/Berlin)\n" in rai("list")


def test_the_removal_of_what_is_old_is_asked_for_at_each_of_its_times(workplace: Path) -> None:
    daily = '  retention: {results: 50d}\n  schedules: {retention: {cron: "0 4 * * *", zone: Europe/Berlin}}\n'
    repository = build(declared(workplace, daily)).get_repository_def()
    made = repository.get_schedule_def("loans_retention_schedule")
    assert (made.cron_schedule, made.execution_timezone) == ("0 4 * * *", "Europe/Berlin")
    with dg.DagsterInstance.ephemeral() as instance:
        (asked,) = made.evaluate_tick(dg.build_schedule_context(instance)).run_requests or []
    assert asked.run_config == {}
    assert dg.validate_run_config(repository.get_job("loans_retention"), asked.run_config)


def test_without_a_declaration_nothing_is_scheduled(loans: Declared) -> None:
    assert list(build(loans).schedules or []) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('schedules: {audit: {cron: "0 25 * * *"}}', "'25' is no hour of 0 to 23"),
        ('schedules: {audit: {cron: "every night"}}', "does not say when"),
        ('schedules: {audit: {cron: "0 3 * * *", zone: Berlin}}', "'Berlin' is no IANA time zone"),
        ('schedules: {audit: {cron: "0 3 * * *", branches: []}}', "schedules.audit.branches: is empty"),
        ("schedules: {audit: {}}", "is missing"),
        ("freshness: {scorecard: {within: soon}}", "'soon' is no span of time"),
        ("freshness: {scorecard: {within: 1h, warn: 2h}}", "`warn` is shorter than `within`"),
        ("freshness: {scorecard: {within: 1h, zone: UTC}}", "`zone` is the zone of `by`"),
        ('freshness: {scorecard: {within: 2h, warn: 1h, by: "0 9 * * *"}}', "leave `warn` out"),
        ("freshness: {batch: {within: 1d}}", "there are no batches without `production`"),
        ('schedules: {report: {cron: "0 7 * * mon"}}', "nothing to report on without `production`"),
        ('schedules: {report: {cron: "0 7 * * mon", days: 0}}', "greater than or equal to 1"),
        ("freshness: {model: {within: 1d}}", "is not known here"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_with_its_line(workplace: Path, more: str, said: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        declared(workplace, f"  {more}\n")
    assert said in str(refusal.value)
    assert f"defs.yaml:{DECLARATION.count(chr(10)) + 1}" in str(refusal.value)


def test_declared_freshness_becomes_dagsters_policies(workplace: Path) -> None:
    item = declared(
        workplace,
        """\
  freshness:
    dataset: {within: 26h, warn: 25h}
    batch: {within: 12h, by: "0 9 * * mon-fri", zone: Europe/Berlin}
  production: {inbox: {path: inbox}}
""",
    )
    graph = build(item).resolve_asset_graph()
    policies = {key.path[-1]: graph.get(key).freshness_policy for key in graph.get_all_asset_keys()}
    assert {name: policy for name, policy in policies.items() if policy is not None} == {
        "dataset": dg.FreshnessPolicy.time_window(timedelta(hours=26), timedelta(hours=25)),
        "batch": dg.FreshnessPolicy.cron("0 9 * * mon-fri", timedelta(hours=12), "Europe/Berlin"),
    }


def test_only_the_champion_is_made_by_a_condition(workplace: Path) -> None:
    graph = build(declared(workplace, "  production: {inbox: {path: inbox}}\n")).resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    assert {key.path[-1] for key in keys if graph.get(key).automation_condition is not None} == {"champion"}
