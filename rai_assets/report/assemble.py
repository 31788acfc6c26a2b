"""From stored results to the audit that a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, judge
from rai_assets.provenance import Provenance
from rai_assets.report.audit import Audit, Column, Data, Judged, Model, Section, Table
from rai_assets.report.words import definition_name
from rai_assets.store.results import Result

if TYPE_CHECKING:
    import pyarrow as pa

_TITLES = {
    "evaluation": "How well it does",
    "fairness_audit": "How it treats groups of people",
    "explanations": "What it looks at",
}
_MAX_ROWS = 25
_MAX_COLUMNS = 12


def judge_all(requirements: Sequence[Requirement], analyses: Sequence[Result]) -> tuple[Judged, ...]:
    """The verdict of every requirement on the numbers of all analyses."""
    numbers = [number for result in analyses for number in result.numbers]
    return tuple(Judged(requirement, judge(requirement, numbers)) for requirement in requirements)


def audit_of(
    *,
    title: str,
    purpose: str,
    owners: Sequence[str],
    provenance: Provenance,
    results_commit: str,
    requirements: Sequence[Requirement],
    dataset: Result,
    model: Result | None,
    analyses: Sequence[Result],
) -> Audit:
    """The audit of one model version, or of logged decisions, on one data commit.

    Args:
        title: Name of the use case for people.
        purpose: Its description.
        owners: Its owners.
        provenance: What the audit is pinned to.
        results_commit: Commit that holds the analyses.
        requirements: In declared order.
        dataset: The result of `dataset`.
        model: The result of `model`, or None.
        analyses: The results of the analyses, in reading order.
    """
    return Audit(
        use_case=provenance.use_case,
        title=title,
        purpose=purpose,
        provenance=provenance,
        data=_data(dataset, model),
        owners=tuple(owners),
        results_commit=results_commit,
        judged=judge_all(requirements, analyses),
        model=_model(model) if model is not None else None,
        sections=tuple(_section(result, results_commit) for result in analyses),
        notes=(*dataset.notes, *_reused(provenance, analyses)),
    )


def _reused(audited: Provenance, analyses: Sequence[Result]) -> Iterator[str]:
    """Which numbers were computed when the same data stood at another commit."""
    read = dict.fromkeys((item.provenance.branch, item.provenance.commit) for item in analyses)
    for branch, commit in read:
        if commit != audited.commit:
            names = [item.asset for item in analyses if item.provenance.commit == commit]
            yield (
                f"The numbers of {', '.join(names)} were computed at commit {commit} of branch {branch}, "
                "which holds the same data."
            )


def _data(dataset: Result, model: Result | None) -> Data:
    facts = dataset.facts
    splits: Mapping[str, int] = model.facts["splits"] if model is not None else {"all": facts["rows"]}
    return Data(
        rows=facts["rows"],
        splits=splits,
        audited="test" if model is not None else "all",
        columns=tuple(Column(**{**column, "roles": tuple(column["roles"])}) for column in facts["columns"]),
        files=facts["files"],
    )


def _model(result: Result) -> Model:
    version: Mapping[str, Any] = result.facts["version"]
    return Model(
        digest=version["digest"],
        estimator=version["estimator"],
        task=version["task"],
        threshold=version["threshold"],
        parameters=version["parameters"],
        parity=result.facts["parity_sentence"],
        libraries=version["libraries"],
    )


def _section(result: Result, results_commit: str) -> Section:
    use_case = result.provenance.use_case
    private = result.facts.get("single_rows", ())
    numbers: list[Number] = [number.addressed(use_case, results_commit, result.asset) for number in result.numbers]
    return Section(
        asset=result.asset,
        title=_TITLES.get(result.asset, result.asset.replace("_", " ").capitalize()),
        numbers=numbers,
        charts={name: chart for name, chart in result.charts.items() if name not in private},
        tables=[
            _table(name, value)
            for name, value in result.tables.items()
            if name not in private and value.num_columns <= _MAX_COLUMNS
        ],
        notes=result.notes,
    )


def _table(name: str, value: pa.Table) -> Table:
    """The first rows of a table, under the names that people know."""
    shown = value.slice(0, _MAX_ROWS)
    rows = tuple(tuple(row.values()) for row in shown.to_pylist())
    total = value.num_rows if value.num_rows > _MAX_ROWS else None
    return Table(_in_words(name), tuple(map(_in_words, value.column_names)), rows, total)


def _in_words(name: str) -> str:
    """A measure by its name in the registry; another name spelled out."""
    known = next((item for item in DEFINITIONS.values() if item.id.partition("@")[0] == name), None)
    spelled = name.replace("_", " ")
    return definition_name(known.id) if known else spelled[:1].upper() + spelled[1:]
