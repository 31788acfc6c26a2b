"""Explanations of a model on the audited rows: global importance, one attribution per row and column, proxies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.analysis.explanation import charts
from rai_assets.analysis.explanation.association import associations
from rai_assets.analysis.explanation.attribution import Attributions, explain_linear, explain_trees
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.errors import Undefined
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.means import NO_SPREAD, SIZE_REACH, Groups, Moments, skewed_interval
from rai_assets.metrics.number import Number
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.scoring import ScoringSession

SAMPLED_BACKGROUND = 100
_LEVEL = 0.95


def compute(inputs: AuditInputs, settings: ExplanationSettings) -> Findings:
    """Explain the model on every audited row.

    The method is the most exact one that the model allows: the closed form of a linear model, exact values of a tree
    ensemble, else sampled values with their error.

    Raises:
        Undefined: There is no model.
        RaiError: The attributions of a row do not add up to its score.
    """
    session = inputs.session
    if session is None or inputs.background is None:
        raise Undefined("logged decisions have no model that could be explained")
    found = _explain(session, inputs, inputs.background, settings)
    outputs = _output_names(session, len(found.base))
    importance = _importance(found, session.features, outputs, inputs)
    related = associations(inputs.table, session.features, inputs.contract.sensitive, split=inputs.rows.split)
    notes = [
        f"Method: {found.method}.",
        *found.notes,
        *_about_paths(session, found, settings),
        "An attribution says what the model uses; it does not say what causes the outcome.",
    ]
    tables = _tables(found, session.features, outputs)
    drawn = _charts(found, session.features, outputs, importance, related)
    return Findings(
        numbers=[*importance, *_residuals(found, outputs, inputs), *related],
        charts=drawn,
        tables=tables,
        notes=notes,
        single_rows=(*tables, *(name for name in drawn if name.startswith("example_"))),
    )


def _about_paths(session: ScoringSession, found: Attributions, settings: ExplanationSettings) -> list[str]:
    if settings.perturbation == "path_dependent" and (session.linear is not None or found.standard_error is not None):
        return ["Only trees have paths: an absent column was taken from the background rows instead."]
    return []


def _explain(
    session: ScoringSession, inputs: AuditInputs, training: pa.Table, settings: ExplanationSettings
) -> Attributions:
    encoding, core = session.encoding, session.core_model
    if encoding is None or core is None:
        return _sampled(session, inputs, training, settings, "a supplied model is not read, only asked")
    rows, about = _background(training, settings.background, settings.seed)
    matrix, behind = encoding.matrix(inputs.table), encoding.matrix(rows)
    given = (core, matrix, behind, encoding.players, len(session.features), session.core_scores(matrix))
    try:
        if session.linear is not None:
            found = explain_linear(*given)
        else:
            found = explain_trees(*given, perturbation=settings.perturbation, progress=inputs.progress)
    except Undefined as undefined:
        return _sampled(session, inputs, training, settings, undefined.what)
    return replace(found, notes=(*found.notes, about))


def _sampled(
    session: ScoringSession, inputs: AuditInputs, training: pa.Table, settings: ExplanationSettings, why: str
) -> Attributions:
    from rai_assets.analysis.explanation.mixing import mixable
    from rai_assets.analysis.explanation.sampling import REPEATS, sample

    rows, about = _background(training, min(SAMPLED_BACKGROUND, settings.background), settings.seed)
    mixed = mixable(session, inputs.table, rows)
    found = sample(
        mixed.score,
        mixed.matrix,
        mixed.background,
        mixed.players,
        len(session.features),
        seed=settings.seed,
        progress=inputs.progress,
    )
    notes = (
        f"Sampled: {REPEATS} random orders and their reverses per row and background row, because {why}.",
        about,
        "Each value has a standard error; a table lists them. It raises a mean of sizes: a column without any effect "
        "has one of that order.",
    )
    unit = "target" if session.task == "regression" else "rate"
    return Attributions(
        found.values, found.base, found.output, "sampled Shapley values", unit, found.standard_error, notes
    ).checked()


def _background(training: pa.Table, most: int, seed: int) -> tuple[pa.Table, str]:
    """At most so many training rows, drawn without replacement, and the sentence on them."""
    n = training.num_rows
    if n <= most:
        return training, f"Background: all {n:,} training rows."
    drawn = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    return training.take(pa.array(drawn)), f"Background: {most:,} of {n:,} training rows, drawn with seed {seed}."


def _output_names(session: ScoringSession, outputs: int) -> tuple[str, ...]:
    """The class of every explained output; one empty name where there is a single output."""
    return session.version.classes if outputs > 1 else ("",)


def _coordinates(output: str, **others: str) -> dict[str, str]:
    return {**({"class": output} if output else {}), **others}


def _importance(
    found: Attributions, features: Sequence[str], outputs: Sequence[str], inputs: AuditInputs
) -> list[Number]:
    """Mean |value| per column with the interval of a mean of skewed values; weighted where rows are."""
    groups = Groups(weight=inputs.rows.weight)
    numbers = []
    for k, output in enumerate(outputs):
        for j, feature in enumerate(features):
            moments = Moments.of(np.abs(found.values[k, :, j]), groups)
            mean = float(moments.mean[0])
            low, high = (float(bound[0]) for bound in skewed_interval(moments, _LEVEL, positive=True, reach=SIZE_REACH))
            known = bool(np.isfinite(low) and np.isfinite(high))
            numbers.append(
                Number(
                    "mean_absolute_shap_value@1",
                    mean if np.isfinite(mean) else None,
                    low=low if known else None,
                    high=high if known else None,
                    level=_LEVEL if known else None,
                    n=inputs.rows.n,
                    coordinates=_coordinates(output, feature=feature),
                    split=inputs.rows.split,
                    unit=found.unit,
                    reason=_why(mean, known),
                )
            )
    return numbers


def _why(mean: float, known: bool) -> str | None:
    """Why a mean, or its interval, is missing."""
    if not np.isfinite(mean):
        return "the weights of the rows add up to 0"
    return None if known else f"no interval, because {NO_SPREAD}"


def _residuals(found: Attributions, outputs: Sequence[str], inputs: AuditInputs) -> list[Number]:
    numbers = []
    for k, output in enumerate(outputs):
        span = float(found.span[k])
        numbers.append(
            Number(
                "additivity_residual@1",
                float(found.residual[k]) / span if span > 0 else None,
                n=inputs.rows.n,
                coordinates=_coordinates(output),
                split=inputs.rows.split,
                reason=None if span > 0 else "the output is the same on every row: it has no range to compare with",
            )
        )
    return numbers


def _charts(
    found: Attributions,
    features: Sequence[str],
    outputs: Sequence[str],
    importance: Sequence[Number],
    related: Sequence[Number],
) -> charts.Charts:
    closest: dict[str, Number] = {}
    for number in related:
        feature = number.coordinates["feature"]
        if number.value is not None and number.value > (closest[feature].value or 0.0 if feature in closest else -1.0):
            closest[feature] = number
    drawn: charts.Charts = {}
    for k, output in enumerate(outputs):
        own = [number for number in importance if number.coordinates.get("class", "") == output]
        own.sort(key=lambda number: -(number.value or 0.0))
        of = f" for {output}" if output else ""
        drawn[f"importance_{k}"] = charts.importance(own, closest, found.unit, f"What moves the score{of}")
    of = f" for {outputs[-1]}" if outputs[-1] else ""
    for name, row in _examples(found.output[-1]).items():
        note = f"Row {row + 1} of the audited rows; {found.base[-1]:.3g} without any column, "
        note += f"{found.output[-1, row]:.3g} with all of them."
        drawn[f"example_{name}"] = charts.local(
            features, found.values[-1, row].tolist(), f"A row with a {name} score{of}", note, found.unit
        )
    return drawn


def _examples(output: NDArray[np.float64]) -> dict[str, int]:
    """The rows at the 5th and the 95th percentile of the output."""
    order = np.argsort(output, kind="stable")
    return {"low": int(order[len(order) * 5 // 100]), "high": int(order[len(order) * 95 // 100])}


def _tables(found: Attributions, features: Sequence[str], outputs: Sequence[str]) -> dict[str, pa.Table]:
    """One row per audited row and output: a float32 value per column, the base and the explained output."""
    tables = {}
    for k in range(len(outputs)):
        base = pa.array(np.full(found.output.shape[1], found.base[k]))
        effects = _per_column("effect of", found.values[k], features)
        tables[f"attributions_{k}"] = pa.table({**effects, "base": base, "output": pa.array(found.output[k])})
        if found.standard_error is not None:
            tables[f"standard_errors_{k}"] = pa.table(
                _per_column("standard error of", found.standard_error[k], features)
            )
    return tables


def _per_column(what: str, values: NDArray[np.float64], features: Sequence[str]) -> dict[str, pa.Array]:
    """Values (n, p) as float32 columns."""
    return {f"{what} {feature}": pa.array(values[:, j].astype(np.float32)) for j, feature in enumerate(features)}
