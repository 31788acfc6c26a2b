"""`rai demo`: what was planted is found, a requirement that fails by plan is shown failing; the twin claims nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rai_assets.defs.lending.planted import findings
from rai_assets.use_case.demo import play_year
from rai_assets_tests.acceptance.conftest import Rai

DECLARATION = Path(__file__).resolve().parents[2] / "rai_assets" / "defs" / "lending" / "defs.yaml"


def test_the_demo_finds_what_was_planted_beside_a_users_own_folder(rai: Rai, tmp_path: Path) -> None:
    (tmp_path / "defs").mkdir()
    assert "lending" not in rai("list").stdout
    shown = rai("demo").stdout
    assert shown.count(" found  p < 0.0001") == 4
    assert "NOT FOUND" not in shown
    year = shown.partition("in a year of production")[2]
    assert year.count("  found\n") == 4
    assert "repay differently  not to be seen" in year
    assert (tmp_path / ".rai" / "lending-production.html").stat().st_size > 50_000
    assert "selection-by-sex       fail" in shown.partition("The verdicts on lending, ")[2]
    assert (tmp_path / ".rai" / "lending-report.html").stat().st_size > 50_000
    listed = rai("list").stdout
    assert "lending  no champion" in listed and "audited  requirements: fail  head: gated" in listed
    assert "selection_rate@1" in rai("metrics", "lending", "--definition", "selection_rate").stdout


@pytest.mark.nightly  # an audit and twelve batches
def test_a_year_without_changes_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    assert [item["title"] for item in play_year(planted=False) if item["stands"]] == []


def test_nothing_is_claimed_on_the_twin_without_faults(rai: Rai, tmp_path: Path) -> None:
    declared = yaml.safe_load(DECLARATION.read_text())
    declared["attributes"]["dataset"]["files"][0]["parameters"]["faults"] = False
    place = tmp_path / "defs" / "lending"
    place.mkdir(parents=True)
    (place / "defs.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    rai("run", "lending")
    published = json.loads(rai("metrics", "lending", "--format", "json").stdout)
    assert [item.name for item in findings(published) if item.found] == []
