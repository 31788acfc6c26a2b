"""From a question to an asset: what every analysis room shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import AUDITED, Requirement, measured_by
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.metrics.findings import Findings
    from rai_assets.model.inputs import AuditInputs
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

MODEL_READS = ("dataset", "splits", "model", "predictions")
LOG_READS = ("dataset",)


def analysis_asset(
    thing: str,
    description: str,
    compute: Callable[[AuditInputs], Findings],
    *,
    settings: BaseModel | None = None,
    kinds: frozenset[str] = frozenset({"python"}),
    requirements: Sequence[Requirement] = (),
    has_model: bool = True,
    present: Callable[[Result], Mapping[str, Any]] | None = None,
) -> ResultAsset:
    """The asset of one question asked of a model or of logged decisions.

    Args:
        thing: Last part of the asset key.
        description: Markdown a business owner understands.
        compute: The question: audit inputs in, findings out. Pure: no store, no Dagster.
        settings: The room's part of the declaration; a change of it makes a new result.
        kinds: Labels of the engines at work, at most three.
        requirements: Those that this asset measures.
        has_model: False where the data carries logged decisions.
        present: Metadata for Dagster beyond the numbers; none when left out.
    """

    def body(stage: Stage) -> Result:
        from rai_assets.model.inputs import read_inputs
        from rai_assets.store.results import of_findings

        inputs = read_inputs(stage, has_model=has_model)
        with inputs.session or nullcontext():
            found = compute(inputs)
        provenance = stage.provenance(model=inputs.model_digest, seed=inputs.seed)
        given = {"settings": settings.model_dump(mode="json") if settings is not None else {}}
        return of_findings(thing, provenance, found, given)

    return ResultAsset(
        thing=thing,
        description=description,
        stage="analysis",
        kinds=kinds,
        reads=MODEL_READS if has_model else LOG_READS,
        follows=("predictions",) if has_model else LOG_READS,
        settings=settings.model_dump(mode="json") if settings is not None else {},
        compute=body,
        present=present or (lambda result: {}),
        requirements=[item for item in requirements if measured_by(item) == thing],
    )


def headline(result: Result, definitions: Sequence[str], *, sensitive: str | None = None) -> dict[str, float]:
    """Numbers of a result as floats, so that Dagster plots them over runs and branches.

    Args:
        result: The result.
        definitions: Names of definitions, without version.
        sensitive: The `sensitive` coordinate of gaps; None for numbers of all rows.
    """
    wanted = {"sensitive": sensitive} if sensitive else {}
    return {
        number.definition.partition("@")[0] + (f" by {sensitive}" if sensitive else ""): float(number.value)
        for number in result.numbers
        if number.definition.partition("@")[0] in definitions
        and not number.group
        and not number.reference
        and dict(number.coordinates) == wanted
        and number.split in AUDITED
        and number.value is not None
    }


def bar(number: Number, label: str) -> dict[str, Any]:
    """A number as a row of a chart with bars: what it is called, its value and interval, and what limits it."""
    names = ("value", "low", "high", "n", "small", "reason")
    return {"label": label, **{name: getattr(number, name) for name in names}}
