"""What a report is made from: one audit, with everything in it that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, Verdict
from rai_assets.provenance import Provenance

Outcome = Literal["pass", "fail", "cannot tell", "none"]


@dataclass(frozen=True)
class Column:
    """One column of the audited data.

    Attributes:
        name: Its name in the source.
        roles: Its roles in the contract, e.g. ("feature", "sensitive").
        dtype: Its declared type.
        missing: Number of missing values, or None where it was not counted.
        distinct: Number of distinct values, or None where it was not counted.
        description: What it means.
    """

    name: str
    roles: tuple[str, ...] = ()
    dtype: str = ""
    missing: int | None = None
    distinct: int | None = None
    description: str = ""


@dataclass(frozen=True)
class Data:
    """The audited data.

    Attributes:
        rows: Number of rows.
        splits: Rows of each split, e.g. {"train": 32561, "test": 16281}.
        audited: The split that the numbers of this audit are computed on.
        columns: Every column of the contract.
        files: Rows of each source file.
    """

    rows: int
    splits: Mapping[str, int] = field(default_factory=dict)
    audited: str = "all"
    columns: tuple[Column, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The audited model version.

    Attributes:
        digest: SHA-256 of the ONNX file.
        estimator: What was fitted, in words.
        task: `binary`, `multiclass` or `regression`.
        threshold: A score at or above it is a positive decision; None where that does not apply.
        parameters: Settings of the estimator.
        parity: One sentence: how far the exported file agrees with the fitted model.
        libraries: Version of each library that made it.
    """

    digest: str
    estimator: str = ""
    task: str = ""
    threshold: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parity: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A small table of an analysis, shown as it is.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: Cells as text, numbers or None, at most as many as a reader takes in.
        total: How many rows the full table has; None where `rows` are all.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int | None = None


@dataclass(frozen=True)
class Section:
    """What one asset found.

    Attributes:
        asset: Name of the asset, e.g. `fairness_audit`.
        title: Heading for people.
        summary: The finding in a sentence or two.
        numbers: Every published number of the asset.
        charts: Vega-Lite specifications by name.
        tables: Tables to show beside the numbers.
        notes: Sentences that a reader needs beside the numbers.
    """

    asset: str
    title: str
    summary: str = ""
    numbers: Sequence[Number] = ()
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Judged:
    """A requirement and what the numbers say about it."""

    requirement: Requirement
    verdict: Verdict


@dataclass(frozen=True)
class Audit:
    """One audit of one model version, or of logged decisions, on one data commit.

    Attributes:
        use_case: Name of the use case, as the commands take it.
        title: Its name for people.
        purpose: What is decided, about whom, and what for.
        owners: E-mail addresses or `team:name`.
        provenance: What the numbers were computed from.
        results_commit: Commit of the results branch that holds the numbers.
        judged: One entry per requirement, in declared order.
        data: The audited data.
        model: The audited model, or None for logged decisions.
        sections: What each analysis found, in reading order.
        notes: Limits and notes that concern the audit as a whole.
    """

    use_case: str
    title: str
    purpose: str
    provenance: Provenance
    data: Data
    owners: tuple[str, ...] = ()
    results_commit: str | None = None
    judged: tuple[Judged, ...] = ()
    model: Model | None = None
    sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the gate says: the worst verdict of the blocking requirements; `none` where there is none."""
        verdicts = {item.verdict.verdict for item in self.judged if item.requirement.blocking}
        for worst in ("fail", "cannot tell", "pass"):
            if worst in verdicts:
                return worst
        return "none"

    def as_json(self) -> dict[str, Any]:
        """The audit as a JSON object: the same values as the report."""
        value = {item.name: getattr(self, item.name) for item in fields(self)}
        value |= {
            "provenance": self.provenance.as_json(),
            "data": asdict(self.data),
            "model": asdict(self.model) if self.model else None,
            "judged": [_judged(item) for item in self.judged],
            "sections": [_section(section) for section in self.sections],
            "outcome": self.outcome,
        }
        return value


def _judged(item: Judged) -> dict[str, Any]:
    number = item.verdict.number
    return {
        "requirement": asdict(item.requirement),
        "verdict": item.verdict.verdict,
        "sentence": item.verdict.sentence,
        "number": number.as_json() if number else None,
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "asset": section.asset,
        "title": section.title,
        "summary": section.summary,
        "numbers": [number.as_json() for number in section.numbers],
        "charts": dict(section.charts),
        "tables": [asdict(table) for table in section.tables],
        "notes": list(section.notes),
    }
