"""The shape that every audited asset shares: one stored result per partition, re-emitted while its inputs stand.

A partition is a data branch, or a batch of production.
"""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from rai_assets import __version__
from rai_assets.charts.text import how_many
from rai_assets.compute.resource import ComputePool
from rai_assets.errors import RaiError
from rai_assets.keys import UseCaseKeys, check_name
from rai_assets.metrics.requirements import Requirement, Verdict, judge
from rai_assets.progress import Progress, announce
from rai_assets.store.resource import Lake

if TYPE_CHECKING:
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

STAGES = ("data", "model", "analysis", "report", "monitoring")
Per = Literal["branch", "batch"]
"""What one partition of an asset is."""


@dataclass(frozen=True)
class ResultAsset:
    """What one asset with a result is, before it is built.

    Attributes:
        thing: Last part of the asset key.
        description: Markdown a business owner understands.
        stage: One of `STAGES`.
        kinds: Labels of the engines at work, at most three.
        reads: Assets of the same use case whose results the body reads.
        follows: Those of `reads` that the graph draws it after; the others stand before these already.
        settings: JSON value of every setting the result depends on.
        compute: The body: a stage in, a result out.
        present: Dagster metadata from a result: headline floats, short markdown, tables.
        requirements: The requirements measured by this asset; each becomes a check, not blocking here.
        outside: What the result depends on beyond the declaration and the store, as JSON: files, library versions.
        per: What one partition of it is.
        checks: {name: what holds when it passes} of the checks that the body answers in the result's fact `checks`;
            one that fails is a warning.
    """

    thing: str
    description: str
    stage: str
    kinds: frozenset[str]
    reads: tuple[str, ...]
    follows: tuple[str, ...]
    settings: Any
    compute: "Callable[[Stage], Result]"
    present: "Callable[[Result], Mapping[str, Any]]"
    requirements: Sequence[Requirement] = ()
    outside: "Callable[[Stage], Any]" = lambda _: {}
    per: Per = "branch"
    checks: "Mapping[str, str]" = field(default_factory=dict)

    def build(self, keys: UseCaseKeys) -> dg.AssetsDefinition:
        """The Dagster asset with its checks."""
        partitions = partitions_of(keys, self.per)
        specs = [requirement_spec(keys, self.thing, item, partitions) for item in self.requirements]
        specs += [
            dg.AssetCheckSpec(
                name, asset=dg.AssetKey(keys.asset(self.thing)), description=said, partitions_def=partitions
            )
            for name, said in self.checks.items()
        ]
        opened = open_stage if self.per == "branch" else open_batch

        @dg.asset(
            key=keys.asset(self.thing),
            deps=[dg.AssetKey(keys.asset(name)) for name in self.follows],
            check_specs=specs,
            **common_attributes(keys, self.stage, self.kinds, self.description, self.per),
        )
        def produce(context: dg.AssetExecutionContext, lake: Lake, compute_pool: ComputePool) -> dg.MaterializeResult:
            with opened(context, lake, keys, self.thing) as here:
                stage = replace(here, pool=compute_pool.pool)
                given = [self.settings, self.outside(stage)]
                result, commit, reused = stage.produce(self.thing, given, self.reads, self.compute)
                judged = requirement_results(result, self.requirements, unknown_passes=self.per == "batch")
                checks = [*judged, *answered(result, self.checks)]
                return materialization(stage, result, commit, reused, self.present(result), checks)

        return produce


def partitions_of(keys: UseCaseKeys, per: Per) -> dg.DynamicPartitionsDefinition:
    """The partitions of an asset."""
    return branch_partitions(keys) if per == "branch" else dg.DynamicPartitionsDefinition(name=keys.batch_partitions)


def branch_partitions(keys: UseCaseKeys) -> dg.DynamicPartitionsDefinition:
    """The partitions that mirror the data branches of a use case."""
    return dg.DynamicPartitionsDefinition(name=keys.branch_partitions)


def common_attributes(
    keys: UseCaseKeys, stage: str, kinds: frozenset[str], description: str, per: Per = "branch"
) -> dict[str, Any]:
    """What every partitioned asset of a use case is declared with.

    Args:
        keys: Names of the use case.
        stage: `data`, `model`, `analysis`, `report` or `monitoring`: the tag `rai/stage`.
        kinds: What it is made with, as Dagster shows it.
        description: For people; Markdown.
        per: What a partition is: a data branch or a batch.
    """
    return {
        "partitions_def": partitions_of(keys, per),
        "group_name": keys.name,
        "owners": list(keys.owners),
        "kinds": set(kinds),
        "tags": {"rai/stage": stage},
        "description": description,
        "code_version": __version__,
        "metadata": code_reference(keys),
    }


def code_reference(keys: UseCaseKeys) -> dict[str, Any]:
    """The link from an asset to the line of its declaration."""
    path, _, line = keys.source.rpartition(":")
    if not path:
        return {}
    reference = dg.LocalFileCodeReference(file_path=str(Path(path)), line_number=int(line), label="declaration")
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def open_stage(
    context: dg.AssetExecutionContext, lake: Lake, keys: UseCaseKeys, thing: str
) -> "AbstractContextManager[Stage]":
    """The step of the running asset on the branch of its partition."""
    return open_stage_on(context.partition_key, context, lake, keys, thing)


@contextmanager
def open_stage_on(
    branch: str, context: dg.AssetExecutionContext, lake: Lake, keys: UseCaseKeys, thing: str
) -> "Iterator[Stage]":
    """A step on a data branch; a refusal in it ends the asset with a Dagster failure in the same words.

    Args:
        branch: The data branch.
        context: Of the running asset.
        lake: The store.
        keys: Names of the use case.
        thing: The asset, for the progress lines.

    Raises:
        dagster.Failure: The step was refused, or there is no such data branch.
    """
    from rai_assets.store.branches import check_data_branch
    from rai_assets.store.stage import Stage

    with told(thing):
        repository = lake.repository(keys)
        check_data_branch(repository, keys.name, branch)
        lake.take_turn(context, keys, branch)
        yield Stage(keys, branch, repository, context.run.run_id, Progress(context.log.info))


@contextmanager
def open_batch(context: dg.AssetExecutionContext, lake: Lake, keys: UseCaseKeys, thing: str) -> "Iterator[Stage]":
    """The step of the running asset on the batch of its partition; refusals as in `open_stage_on`.

    Batches take no turns: each has folders of its own, and what two runs of one batch leave is the same.
    """
    from rai_assets.store.stage import Stage

    with told(f"{thing} of {context.partition_key}"):
        progress = Progress(context.log.info)
        yield Stage.of_batch(keys, context.partition_key, lake.repository(keys), context.run.run_id, progress)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say that something begins and ends; a refusal in it becomes a Dagster failure in the same words."""
    began = time.monotonic()
    try:
        announce(f"{what} ...")
        yield
        announce(f"{what} done in {time.monotonic() - began:.1f} s")
    except RaiError as error:
        said = {"where": error.where, "fix": error.fix}
        metadata: dict[str, Any] = {"exit_code": error.exit_code, **{name: text for name, text in said.items() if text}}
        raise dg.Failure(description=str(error), metadata=metadata, allow_retries=False) from error


def materialization(
    stage: "Stage",
    result: "Result",
    commit: str,
    reused: bool,
    present: Mapping[str, Any],
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """The materialization of a stored result: its headline, where it stands, and the checks measured by it.

    Args:
        stage: The step that made it, or took it over.
        result: The result.
        commit: The results commit that holds it.
        reused: Whether it was made by an earlier run.
        present: What Dagster's pages show of it first.
        check_results: Outcome of the checks that it measures.
    """
    read = result.provenance
    # `dataset` is made of the commit that it names.
    here = read.commit if stage.batch or result.asset == "dataset" else stage.data_commit
    if reused:
        there = "" if read.commit == here else f" as at commit {read.commit[:12]} of {read.branch}"
        announce(f"{result.asset}: reused, its inputs are the same{there}")
    elif result.numbers:
        announce(f"{result.asset}: {how_many(len(result.numbers), 'number')}")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stage.repository.tree_digest(commit, f"{stage.folder}{result.asset}/")),
        metadata={
            **present,
            "numbers": len(result.numbers),
            "reused": reused,
            "data_commit": read.commit,
            **({"same_data_at": here} if here != read.commit else {}),
            "results_commit": commit,
            **({"results_folder": stage.folder} if stage.folder else {}),
            **({"model_digest": read.model} if read.model else {}),
        },
        check_results=list(check_results),
    )


def requirement_spec(
    keys: UseCaseKeys, thing: str, requirement: Requirement, partitions: dg.PartitionsDefinition
) -> dg.AssetCheckSpec:
    """The check that shows a requirement on the asset that measures it."""
    return dg.AssetCheckSpec(
        check_name(requirement.id),
        asset=dg.AssetKey(keys.asset(thing)),
        description=f"{requirement.id}: {requirement.text}",
        partitions_def=partitions,
    )


def requirement_results(
    result: "Result", requirements: Sequence[Requirement], *, unknown_passes: bool = False
) -> list[dg.AssetCheckResult]:
    """One check result per requirement: pass, fail (error) or cannot tell (warning).

    Args:
        result: The numbers.
        requirements: What they must be.
        unknown_passes: What cannot be told is no warning: labels of a batch that have not arrived, or too few of them.
    """
    return [
        verdict_check(requirement, judge(requirement, result.numbers), unknown_passes=unknown_passes)
        for requirement in requirements
    ]


def answered(result: "Result", checks: Iterable[str]) -> list[dg.AssetCheckResult]:
    """The checks that the body of an asset answered."""
    found = result.facts.get("checks", {})
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=found[name]["passed"],
            severity=dg.AssetCheckSeverity.WARN,
            description=found[name]["sentence"],
            metadata={"outward": found[name]["outward"]} if "outward" in found[name] else {},
        )
        for name in checks
    ]


def verdict_check(requirement: Requirement, verdict: Verdict, *, unknown_passes: bool = False) -> dg.AssetCheckResult:
    """A verdict as a Dagster check result with its number as plottable floats."""
    number = verdict.number
    values = {} if number is None else {"value": number.value, "low": number.low, "high": number.high, "n": number.n}
    limit = requirement.at_most if requirement.at_most is not None else requirement.at_least
    failed = dg.AssetCheckSeverity.ERROR if verdict.verdict == "fail" else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=check_name(requirement.id),
        passed=verdict.verdict == "pass" or (unknown_passes and verdict.verdict == "cannot tell"),
        severity=failed,
        description=verdict.sentence,
        metadata={
            "verdict": verdict.verdict,
            **({"limit": float(limit)} if limit is not None else {}),
            **{name: float(value) for name, value in values.items() if value is not None},
        },
    )
