"""The graph of a use case: what stands in it, how it is partitioned, and what happens to a broken declaration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from rai_assets.keys import check_name
from rai_assets.use_case.checks import checks_of
from rai_assets.use_case.declaration import Declared, load, load_all
from rai_assets.use_case.graph import broken_definitions, build, location_definitions


def described(definitions: dg.Definitions) -> dict[str, object]:
    assets = {}
    for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key):
        assets[spec.key.to_user_string()] = {
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "group": spec.group_name,
            "kinds": sorted(spec.kinds),
            "owners": list(spec.owners),
            "partitions": spec.partitions_def.name if spec.partitions_def else None,
            "stage": spec.tags["rai/stage"],
            "described": bool(spec.description),
            "code": "dagster/code_references" in spec.metadata,
        }
    graph = definitions.resolve_asset_graph()
    checks = [f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys]
    return {"assets": assets, "checks": sorted(checks), "jobs": sorted(job.name for job in definitions.jobs or [])}


def test_the_graph_of_a_use_case_with_a_model(loans: Declared, snapshot: SnapshotAssertion) -> None:
    assert described(build(loans)) == snapshot


def test_the_graph_of_logged_decisions_has_no_model(workplace: Path, snapshot: SnapshotAssertion) -> None:
    path = workplace / "defs" / "loans" / "defs.yaml"
    logged = path.read_text().replace("income: {role: feature", "income: {role: score, threshold: 50")
    path.write_text(logged.replace("  model: {estimator: logistic_regression}\n", ""))
    declared = load(path)
    assert declared is not None
    assert described(build(declared)) == snapshot


@pytest.mark.parametrize("production", ["", "  production: {inbox: {path: inbox}}\n"])
@pytest.mark.parametrize("model", [True, False])
def test_the_declaration_knows_the_names_of_the_assets(workplace: Path, production: str, model: bool) -> None:
    path = workplace / "defs" / "loans" / "defs.yaml"
    text = path.read_text()
    if not model:
        text = text.replace("income: {role: feature", "income: {role: score, threshold: 50")
        text = text.replace("  model: {estimator: logistic_regression}\n", "")
    path.write_text(text + production)
    declared = load(path)
    assert declared is not None
    made = build(declared).resolve_asset_graph().get_all_asset_keys()
    assert {key.path[-1] for key in made} == set(declared.use_case.assets)


@pytest.mark.parametrize("production", ["", "  production: {inbox: {path: inbox}}\n"])
def test_the_declaration_knows_the_names_of_the_checks(workplace: Path, production: str) -> None:
    path = workplace / "defs" / "loans" / "defs.yaml"
    path.write_text(path.read_text() + production)
    declared = load(path)
    assert declared is not None
    ids = {item.id for item in declared.use_case.requirements}
    known = {
        (asset, check_name(name) if name in ids else name)
        for asset, names in checks_of(declared.use_case).items()
        for name in names
    }
    made = build(declared).resolve_asset_graph().asset_check_keys
    assert {(key.asset_key.path[-1], key.name) for key in made} == known


def test_sensitive_columns_never_reach_the_dagster_names(loans: Declared) -> None:
    names = " ".join(str(key) for key in build(loans).resolve_asset_graph().get_all_asset_keys())
    assert "sex" not in names


def test_a_broken_declaration_is_visible_and_the_others_load(workplace: Path) -> None:
    other = workplace / "defs" / "other"
    other.mkdir()
    (other / "defs.yaml").write_text("type: rai_assets.use_case.component.ResponsibleAIUseCase\nattributes: {nme: x}\n")
    declared, broken = load_all()
    merged = dg.Definitions.merge(
        location_definitions(declared), *map(build, declared), *map(broken_definitions, broken)
    )
    keys = {key.to_user_string() for key in merged.resolve_asset_graph().get_all_asset_keys()}
    assert {"loans/scorecard", "other/broken_use_case"} <= keys
    spec = next(spec for spec in merged.resolve_all_asset_specs() if spec.key.path[-1] == "broken_use_case")
    assert "nme: is not known here" in (spec.description or "")
    assert "defs.yaml:2" in (spec.description or "")


@pytest.mark.parametrize("broken", [False, True])
def test_dagster_validates_the_workspace(workplace: Path, broken: bool) -> None:
    if broken:
        (workplace / "defs" / "loans" / "defs.yaml").write_text("type: x\n  attributes: 1\n")
    workspace = Path(__file__).resolve().parents[2] / "workspace.yaml"
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode != 0) == broken
    if broken:
        assert "defs.yaml:2" in done.stdout + done.stderr
