"""The questions asked of a batch in production: quiet on rows like the reference's, and a planted change is found."""

from __future__ import annotations

import random

from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows

QUESTIONS = ("drift", "attribution_drift", "fairness_drift", "estimated_performance")


def without_target(text: str) -> str:
    return "".join(line.rpartition(",")[0] + "\n" for line in text.splitlines())


def shifted(n: int) -> str:
    """Incomes lower by two deviations; the weekdays and sexes as ever."""
    draw = random.Random(5)
    lines = ["weekday,income,sex"]
    lines += [
        f"{draw.choice(['mon', 'tue', 'sat'])},{max(draw.gauss(20, 15), 0):.2f},{draw.choice('FM')}" for _ in range(n)
    ]
    return "\n".join(lines) + "\n"


def test_a_batch_like_the_reference_raises_no_alarm_and_a_shifted_one_does(
    daemon: Daemon,
    inbox: Desk,
    store: VersionedRepository,
) -> None:
    inbox.put("calm.csv", without_target(loan_rows(300, seed=3)))
    inbox.put("poor.csv", shifted(300))
    assert daemon.tick() == {"calm": True, "poor": True}
    assert daemon.failed("calm") == {}

    alarms = daemon.failed("poor")
    assert alarms["columns_unchanged"].startswith("3 of 5 columns have changed: income")
    assert "domain_classifier_auc" in alarms["columns_together_unchanged"]

    drift = results.load(store, "results-production", "drift", folder="batches/poor/")
    rows = {row["column"]: row for row in drift.facts["rows"] if row["method"] == "ks"}
    assert rows["income"]["drifted"]
    assert rows["income"]["rank"] == 1
    champion = results.load(store, "champion", "champion")
    assert drift.facts["reference"]["commit"] == champion.provenance.commit
    assert drift.provenance.model == champion.provenance.model
    # Prediction drift: fewer are taken to repay, so the decisions changed too.
    by_column = {row["column"]: row["drifted"] for row in drift.facts["rows"] if row["drifted"] is not None}
    assert by_column["decision of the model"]
    assert not by_column["weekday"]
    assert not by_column["sex"]
    assert "repaid" not in by_column, "no label has arrived"


def test_every_question_leaves_a_result_with_pinned_numbers_and_the_same_inputs_reuse_it(
    daemon: Daemon,
    inbox: Desk,
    store: VersionedRepository,
) -> None:
    inbox.put("a.csv", loan_rows(120, seed=9))
    assert daemon.tick() == {"a": True}
    assert set(QUESTIONS) <= set(results.assets(store, "results-production", "batches/a/"))
    for name in QUESTIONS:
        for number in results.load(store, "results-production", name, folder="batches/a/").numbers:
            assert (number.commit, number.branch) == (store.resolve("production"), "production")
            assert number.value is not None or number.reason
    before = store.resolve("results-production")
    job = daemon.definitions.resolve_job_def("loans_production")
    assert job.execute_in_process(instance=daemon.instance, partition_key="a").success
    assert store.resolve("results-production") == before
