"""A batch in quarantine that a person lets pass: recorded, published, and asked every question; refusals in words."""

from __future__ import annotations

import pytest

from rai_assets.errors import UsageError
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.overrides import words_on
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.errors import NotFound
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import accept, let_pass, listed
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.publishing import publish
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows

BAD = loan_rows(60, seed=2).replace(",F,", ",?,")
ASKED = ("batch", "batch_predictions", "data_profile", "drift", "fairness_drift", "estimated_performance")


def test_a_person_lets_a_batch_pass_and_every_question_is_asked_of_it(
    declared: Declared, daemon: Daemon, inbox: Desk, store: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_USER", "ada")
    inbox.put("bad.csv", BAD)
    assert daemon.tick() == {"bad": False}
    assert let_pass(declared, "bad", " The form changed; agreed on 3 May. ").startswith(
        "bad is audited again, and published although the rule allowed_values does not hold. ada lets it pass on "
    )
    assert daemon.states() == {"bad": "pending"}
    assert daemon.tick() == {"bad": True}
    assert daemon.states() == {"bad": "accepted"}

    head = store.resolve("production")
    record = Batch(store, head, "bad").record
    with pytest.raises(NotFound, match="there is no batch 'worse' on 'production'\n  Fix: `rai batches`"):
        Batch(store, head, "worse")
    assert record.override is not None
    assert (record.rows, record.revision, record.override["by"]) == (60, 1, "ada")
    word = words_on(store, head)["bad"]
    assert (word.of, word.reason) == (("allowed_values",), "The form changed; agreed on 3 May.")
    said = [commit.metadata for commit in store.log("production") if "override_by" in commit.metadata]
    assert [(item["override_by"], item["batch"]) for item in said] == [("ada", "bad")]
    for asset in ASKED:
        results.load(store, "results-production", asset, folder="batches/bad/")

    failed = daemon.failed("bad")["allowed_values"]  # it stays failed, as a warning that names who let it pass
    assert "'?' is not among the allowed values" in failed
    assert failed.endswith(": The form changed; agreed on 3 May.")
    (entry,) = listed(declared)
    assert (entry.revision, str(entry.reason)[:16]) == (1, "ada lets it pass")
    assert daemon.tick() == {}


def test_the_word_is_about_these_very_bytes(declared: Declared, daemon: Daemon, inbox: Desk) -> None:
    inbox.put("bad.csv", BAD)
    daemon.tick()
    let_pass(declared, "bad", "Agreed.")
    assert daemon.tick() == {"bad": True}
    inbox.put("bad.csv", BAD + "mon,20,!,no\n", age=60)
    assert daemon.tick() == {"bad": False}
    assert daemon.states() == {"bad": "quarantined"}


def test_a_backfill_publishes_it_too(declared: Declared, daemon: Daemon, inbox: Desk) -> None:
    inbox.put("bad.csv", BAD)
    daemon.tick()
    let_pass(declared, "bad", "Agreed.")
    done = backfill(declared, None, None, Progress(lambda _: None))
    assert (done.accepted, done.quarantined, done.problems) == (1, 0, [])
    assert daemon.states() == {"bad": "accepted"}


def test_what_cannot_pass_is_said_in_words(
    declared: Declared, daemon: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("bad.csv", BAD)
    inbox.put("good.csv", loan_rows(50, seed=1))
    inbox.put("narrow.csv", "weekday,sex\nmon,F\n")
    inbox.put("noise.csv", b"\xff\xfe\x00")
    daemon.tick()
    before = store.resolve("production")
    for batch, what, fix in (
        ("bat", "there is no batch 'bat'", "did you mean bad"),
        ("good", "nothing stands in the way of batch 'good'", ""),
        ("narrow", "column 'income': is not in the file", "rai contract accept loans --batch narrow"),
        ("noise", "has no rows that can be scored", "mend its file"),
    ):
        with pytest.raises(UsageError, match=what) as refused:
            let_pass(declared, batch, "Agreed.")
        assert fix in refused.value.fix
    with pytest.raises(UsageError, match="for a reason"):
        let_pass(declared, "bad", "  ")

    branch = next(entry.branch for entry in listed(declared) if entry.key == "bad")
    assert branch is not None
    with pytest.raises(UsageError) as refused:
        publish(declared, branch, "Agreed.")
    assert refused.value.fix == "rai publish loans --batch bad --reason ..."

    store.delete_branch(branch)
    with pytest.raises(UsageError, match="is kept no longer") as refused:
        let_pass(declared, "bad", "Agreed.")
    assert refused.value.fix == "have it audited again: rai backfill loans"
    assert store.resolve("production") == before

    accept(declared, "No incomes any more.", "narrow", None)
    with pytest.raises(UsageError, match="has no verdict yet"):
        let_pass(declared, "narrow", "Agreed.")
