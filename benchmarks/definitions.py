"""What the product costs on top of Dagster: loading its definitions, and running its graph.

Loading: processor seconds of a process that finds and builds n use cases declared in YAML and resolves their asset
graph, less those of a process that only imports Dagster; the peer is a graph of the same assets, checks and partitions
written by hand. It is linear if four times the use cases take at most 5 times as long; the graph by hand does not
keep that, for Dagster's own share grows faster.

Running: processor seconds of `run` from the call to its end, and those of the same graph (assets, checks, partitions,
metadata's place, a new instance in a folder, in-process execution, audit and promotion) whose bodies are empty. What
the bodies compute is taken off ours: the processor seconds, ended children included, from the entry of an asset's
function to its end, without the pauses in which a generator waits for Dagster.

    python benchmarks/definitions.py
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from _measure import _cpu, alone, line, measure

FEW, MANY = 50, 200
MOST_SECONDS = 1.0  # above `import dagster`, for FEW use cases
MOST_TIMES = 1.3  # of the empty graph
COLUMNS = "".join(f"      c{i}: {{role: feature, dtype: number, minimum: 0}}\n" for i in range(12))
DECLARATION = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: {name}
  title: A use case
  description: Who gets a small loan.
  owners: ["team:risk"]
  dataset:
    files: [{{path: rows.csv}}]
    split: {{by: fraction, test: 0.5}}
    columns:
{columns}      sex: {{role: sensitive, dtype: category, allowed: [F, M]}}
      repaid: {{role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}}
  model: {{estimator: logistic_regression}}
  requirements:
    - {{id: R1, text: Mostly right, definition: accuracy, at_least: 0.6}}
    - {{id: R2, text: No gap, definition: demographic_parity_difference, sensitive: [sex], at_most: 0.2}}
"""


def only_dagster() -> None:
    """The process with which ours is compared."""
    import dagster  # noqa: F401


def load(folder: str) -> int:
    """Load the code location as its server does; returns how many assets it has."""
    os.environ["RAI_DEFS"] = folder
    from rai_assets.definitions import defs

    return resolved(defs())


def resolved(definitions: Any) -> int:
    return len(definitions.get_repository_def().asset_graph.get_all_asset_keys())


def describe(folder: str, target: str) -> None:
    """Write every asset of every use case as plain values, for the graph by hand."""
    from rai_assets.use_case.declaration import load_all
    from rai_assets.use_case.graph import build

    declared, _ = load_all(Path(folder))
    graph = [[plain(asset) for asset in build(item).assets or []] for item in declared]
    Path(target).write_text(json.dumps(graph))


def plain(asset: Any) -> dict[str, Any]:
    (spec,) = asset.specs
    (dataset,) = [asset.partitions_def.name] if asset.partitions_def else [None]
    return {
        "key": list(spec.key.path),
        "deps": [list(dep.asset_key.path) for dep in spec.deps],
        "group": spec.group_name,
        "owners": list(spec.owners),
        "kinds": sorted(spec.kinds),
        "description": spec.description,
        "partitions": dataset,
        "checks": [(check.name, check.blocking, check.description) for check in asset.check_specs],
    }


def by_hand(target: str) -> int:
    """Load the same graph, written in Dagster's own words."""
    return resolved(handmade(json.loads(Path(target).read_text())))


def handmade(graph: list[list[dict[str, Any]]]) -> Any:
    """The definitions of a graph without bodies."""
    import warnings

    import dagster as dg

    warnings.simplefilter("ignore")
    assets, jobs = [], []
    for use_case in graph:
        made = [empty(facts) for facts in use_case]
        assets += made
        for facts in use_case:
            name = "_".join(facts["key"][:1] + (["audit"] if facts["partitions"] else ["promotion"]))
            if name not in {job.name for job in jobs[-2:]}:
                members = [
                    asset for asset, other in zip(made, use_case, strict=True)
                    if bool(other["partitions"]) == bool(facts["partitions"])
                ]  # fmt: skip
                jobs.append(dg.define_asset_job(name, selection=dg.AssetSelection.assets(*members)))
    return dg.Definitions(assets=assets, jobs=jobs, executor=dg.in_process_executor)


def empty(facts: dict[str, Any]) -> Any:
    """An asset that does nothing and says that its checks hold."""
    import dagster as dg

    key = dg.AssetKey(facts["key"])
    partitions = dg.DynamicPartitionsDefinition(name=facts["partitions"]) if facts["partitions"] else None
    mapping = None if partitions else dg.SpecificPartitionsPartitionMapping(["main"])
    checks = [
        dg.AssetCheckSpec(name, asset=key, blocking=blocking, description=text, partitions_def=partitions)
        for name, blocking, text in facts["checks"]
    ]

    @dg.asset(
        key=key,
        deps=[dg.AssetDep(dg.AssetKey(dep), partition_mapping=mapping) for dep in facts["deps"]],
        partitions_def=partitions,
        group_name=facts["group"],
        owners=facts["owners"],
        kinds=set(facts["kinds"]),
        description=facts["description"],
        check_specs=checks,
    )
    def body():
        return dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name=check.name, passed=True) for check in checks]
        )

    return body


def audit(folder: str) -> list[tuple[float, float]]:
    """Two audits of the demo, the second with nothing new: what each took in all, and in the bodies."""
    os.chdir(folder)
    os.environ["RAI_HOME"] = str(Path(folder) / "state")
    spent = timed_assets()
    from rai_assets.defs import lending
    from rai_assets.use_case.declaration import load
    from rai_assets.use_case.run import run

    declared = load(Path(str(lending.__path__[0])) / "defs.yaml")
    assert declared is not None
    taken = []
    for _ in range(2):
        spent[0] = 0.0
        taken.append((measure(lambda: run(declared)).cpu, spent[0]))
    return taken


def timed_assets() -> list[float]:
    """From here on, every asset that is defined adds its body's processor seconds to the list's one entry."""
    import dagster as dg

    spent, original = [0.0], dg.asset

    def asset(**attributes: Any) -> Any:
        def decorate(function: Any) -> Any:
            return original(**attributes)(timed(function, spent))

        return decorate

    dg.asset = asset  # type: ignore[assignment]
    return spent


def timed(function: Any, spent: list[float]) -> Any:
    if not inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def plainly(*arguments: Any, **named: Any) -> Any:
            began = _cpu()
            try:
                return function(*arguments, **named)
            finally:
                spent[0] += _cpu() - began

        return plainly

    @functools.wraps(function)
    def in_parts(*arguments: Any, **named: Any) -> Any:
        parts = function(*arguments, **named)
        while True:
            began = _cpu()
            try:
                part = next(parts)
            except StopIteration:
                return
            finally:
                spent[0] += _cpu() - began
            yield part

    return in_parts


def empty_audit(folder: str, target: str) -> list[float]:
    """The same graph with nothing in it, twice on one instance."""
    graph = json.loads(Path(target).read_text())
    os.environ["RAI_HOME"] = str(Path(folder) / "state")
    from rai_assets.home import prepare

    prepare()
    import dagster as dg

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    name = graph[0][0]["key"][0]

    def work() -> None:
        with dg.DagsterInstance.get() as instance:
            definitions = handmade(graph)
            instance.add_dynamic_partitions(f"{name}_branch", ["main"])
            for job, partition in ((f"{name}_audit", "main"), (f"{name}_promotion", None)):
                resolved = definitions.resolve_job_def(job)
                done = resolved.execute_in_process(instance=instance, partition_key=partition, run_config=quiet)
                assert done.success

    return [measure(work).cpu for _ in range(2)]


def declare(folder: Path, n: int) -> str:
    """So many use cases in a folder."""
    for number in range(n):
        place = folder / f"use_case_{number:03d}"
        place.mkdir(parents=True)
        (place / "defs.yaml").write_text(DECLARATION.format(name=place.name, columns=COLUMNS))
    return str(folder)


def fastest(case: Any, *arguments: Any) -> float:
    return min(alone(case, *arguments).cpu for _ in range(3))


def compare_loading(root: Path) -> None:
    """Print the line of the definitions."""
    dagster = fastest(only_dagster)
    ours, peer = {}, {}
    for n in (FEW, MANY):
        folder = declare(root / str(n), n)
        ours[n] = fastest(load, folder) - dagster
        graph = str(root / f"{n}.json")
        alone(describe, folder, graph)
        peer[n] = fastest(by_hand, graph) - dagster
    line(
        f"definitions of {FEW} use cases loaded, above `import dagster`: at most {MOST_SECONDS} s, linear to {MANY}",
        ours=ours[FEW],
        peer=peer[FEW],
        unit="cpu-seconds",
        goal=peer[FEW] / MOST_SECONDS,
        peer_is="the same assets, checks and jobs by hand, without their declarations",
        holds=ours[MANY] <= 1.25 * MANY / FEW * ours[FEW],
        import_dagster=dagster,
        ours_of_many=ours[MANY],
        peer_of_many=peer[MANY],
    )


def compare_running(root: Path) -> None:
    """Print a line for a new audit and one for an audit of what is known."""
    from rai_assets.defs import lending

    folder = root / "lending"
    folder.mkdir()
    graph = str(root / "lending.json")
    alone(describe, str(lending.__path__[0]), graph)
    ours = alone(audit, str(folder)).value
    peer = alone(empty_audit, str(root / "empty"), graph).value
    for what, (taken, bodies), nothing in zip(("new data", "nothing new"), ours, peer, strict=True):
        line(
            f"the demo audited, {what}: at most {MOST_TIMES} times the empty graph, beside its computation",
            ours=taken - bodies,
            peer=nothing,
            unit="cpu-seconds",
            goal=1 / MOST_TIMES,
            peer_is="the same graph with empty bodies",
            computation=bodies,
        )


def main() -> None:
    """Print the lines."""
    with tempfile.TemporaryDirectory() as name:
        compare_loading(Path(name))
        compare_running(Path(name))


if __name__ == "__main__":
    main()
