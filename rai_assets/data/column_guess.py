"""What every column probably is, from the evidence of its values and what the user said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rai_assets.data.columns import NUMERIC, ColumnSettings
from rai_assets.data.decision_guess import prediction_of, score_of, weight_of
from rai_assets.data.edge_guess import guess_edges
from rai_assets.data.evidence import Evidence, Guesses, Wishes
from rai_assets.data.label_guess import labelled, likely_positive, match, say_constant
from rai_assets.data.profiling import KEPT_VALUES, Profile
from rai_assets.data.rules import shown
from rai_assets.errors import UsageError

__all__ = ["Guesses", "Wishes", "guess_columns"]

ALLOWED_LISTED = 50  # values of a category that are written out
_SURE_CATEGORY = 30  # distinct texts that are a category, however few the rows


def guess_columns(
    profiles: Sequence[Profile], wishes: Wishes, learned: Collection[str], audited: Collection[str]
) -> Guesses:
    """Roles, types and rules for all columns.

    Args:
        profiles: The evidence, in the order of the file.
        wishes: What the user said.
        learned: Values of the target in the files to learn from.
        audited: Values of the target in the files kept for the audit.

    Raises:
        UsageError: What the user said does not fit the values.
    """
    found = Guesses()
    _guess_missing(profiles, wishes, found)
    by_name = {profile.name: Evidence(profile, found) for profile in profiles}
    for column in by_name.values():
        column.say_endless()
        column.say_unread()
    settings: dict[str, dict[str, Any]] = {}
    if wishes.target is not None:
        _alias_trailing_dots(wishes.target, learned, audited, found)
        settings[wishes.target] = _target(by_name[wishes.target], wishes)
    if wishes.prediction is not None:
        about_target = settings.get(wishes.target or "")
        settings[wishes.prediction] = prediction_of(by_name[wishes.prediction], wishes, about_target)
    if wishes.score is not None:
        settings[wishes.score] = score_of(by_name[wishes.score], wishes)
    if wishes.weight is not None:
        settings[wishes.weight] = weight_of(by_name[wishes.weight])
    for name in wishes.sensitive:
        settings[name] = _sensitive(by_name[name], settings.get(name))
    dated = False
    for name, column in by_name.items():
        if name not in settings:
            settings[name] = _plain(column, dated=dated)
            dated |= settings[name].get("role") == "timestamp"
    found.columns = {name: ColumnSettings(**settings[name]) for name in by_name}
    if all(column.roles == ("ignored",) for column in found.columns.values()):
        raise UsageError("no column can be used: they are empty, times, or free text", fix="check the separator")
    if wishes.target is not None and not wishes.logged:
        _refuse_unlearnable(by_name[wishes.target], found)
    return found


def _refuse_unlearnable(target: Evidence, found: Guesses) -> None:
    if len(target.labels) == 1:
        raise UsageError(
            f"the target {target.name!r} is {shown(target.labels[0])} in every row, so there is nothing to learn",
            fix="name another --target, or files in which it varies",
        )
    if not any("feature" in column.roles for column in found.columns.values()):
        raise UsageError(
            "no column is left that a model could learn from: the others are sensitive, identifiers, times, free text, "
            "or empty",
            fix="name files with more columns, or logged decisions with --prediction or --score",
        )


def _guess_missing(profiles: Sequence[Profile], wishes: Wishes, found: Guesses) -> None:
    """Declare the marks of missing values without which a column would not be numbers or times; and `?` anywhere."""
    found.missing = list(dict.fromkeys(["", *wishes.missing]))
    typed = [item for item in profiles if item.known and (item.numbers or item.local_times or item.utc_times)]
    texts = [item for item in profiles if item not in typed]
    seen = sorted({marker for item in profiles for marker in item.markers})
    for marker in seen:
        needed = [item.name for item in typed if item.markers[marker]]
        elsewhere = [item.name for item in texts if item.markers[marker]]
        if marker == "?" or (needed and not elsewhere):
            found.missing.append(marker)
            found.say(f"{shown(marker)} means a missing value (in {_listed(needed + elsewhere)})")
        elif needed:
            for name in needed:
                found.aliases.setdefault(name, {})[marker] = ""
            found.say(
                f"{shown(marker)} means a missing value in {_listed(needed)}, and is a value like others in "
                f"{_listed(elsewhere)}"
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _alias_trailing_dots(target: str, learned: Collection[str], audited: Collection[str], found: Guesses) -> None:
    dotted = {label: label.rstrip(".") for label in sorted(audited) if label not in learned}
    aliases = {label: plain for label, plain in dotted.items() if plain in learned}
    if aliases:
        found.aliases.setdefault(target, {}).update(aliases)
        pairs = ", ".join(f"{shown(label)} as {shown(plain)}" for label, plain in aliases.items())
        found.say(f"{target} is spelled differently in the test file; {pairs} is read")


def _target(column: Evidence, wishes: Wishes) -> dict[str, Any]:
    column.refuse_missing()
    kind, labels = column.kind, column.labels
    if kind is None:
        raise UsageError(f"the target {column.name!r} has no values", fix="name another --target, or fill the column")
    say_constant(column)
    if wishes.positive is None and (column.quantity or (kind == "number" and len(labels) > 2)):
        column.found.say(f"{column.name} is a quantity, so the task is a regression")
        return {"role": "target", "dtype": kind}
    if column.many:
        raise UsageError(f"the target {column.name!r} has too many different values", fix="name another column")
    if wishes.positive is not None:
        positive = match(wishes.positive, column)
        if len(labels) > 2:
            column.found.say(f"{column.name} has {len(labels)} values; all but {shown(positive)} count as negative")
        return {"role": "target", **labelled(column, labels, positive)}
    if len(labels) == 2:
        positive = likely_positive(column, labels)
        column.found.say(f"{shown(positive)} is the positive value of {column.name}; --positive names another")
        return {"role": "target", **labelled(column, labels, positive)}
    column.found.say(f"{column.name} has {len(labels)} values, so the task is to tell {len(labels)} classes apart")
    return {"role": "target", "dtype": "category", "allowed": labels}


def _sensitive(column: Evidence, other: dict[str, Any] | None) -> dict[str, Any]:
    """A column of groups; it may be the target or a prediction as well."""
    if other is not None:
        both = {**other, "role": [other["role"], "sensitive"]}
        if "allowed" in other:
            return {**both, "dtype": "category"}
        return {**both, **_edges(column)} if other["dtype"] in NUMERIC else both
    if column.kind is None:
        raise UsageError(f"the sensitive column {column.name!r} has no values", fix="leave it out of --sensitive")
    if column.quantity:
        return {"role": "sensitive", "dtype": column.kind, **_edges(column), **column.policy()}
    if column.many:
        raise UsageError(
            f"the sensitive column {column.name!r} has more than {len(column.labels) - 1:,} values",
            fix="name a column with fewer, or add one to the file that sums its values up",
        )
    if column.kind == "boolean":
        return {"role": "sensitive", "dtype": "boolean", **column.policy()}
    return {"role": "sensitive", "dtype": "category", **_allowed(column, 2 * ALLOWED_LISTED), **column.policy()}


def _edges(column: Evidence) -> dict[str, Any]:
    edges = guess_edges(column.profile, whole=column.kind == "integer")
    cuts = ", ".join(f"{edge:g}" for edge in edges)
    codes = "; if its numbers are codes, declare dtype category" if column.kind == "integer" else ""
    column.found.say(f"{column.name} is cut into groups at {cuts}{codes}")
    return {"edges": edges}


def _allowed(column: Evidence, most: int) -> dict[str, Any]:
    return {"allowed": column.labels} if 0 < len(column.labels) <= most and not column.many else {}


def _plain(column: Evidence, *, dated: bool) -> dict[str, Any]:
    """A column that the user did not speak of."""
    kind, found, name = column.kind, column.found, column.name
    if kind is None:
        found.say(f"{name} has no values and is left out")
        return {"role": "ignored"}
    if not column.missing and column.profile.names_rows():
        found.say(f"{name} names the rows: every one has its own value")
        return {"role": "identifier", "dtype": "integer" if kind == "integer" else "text"}
    if kind == "timestamp":
        if dated or column.missing:
            found.say(f"{name} is a time and is left out")
            return {"role": "ignored"}
        found.say(f"{name} says when")
        return {"role": "timestamp", "dtype": "timestamp"}
    if kind != "text":
        return {"dtype": kind, **column.policy()}
    distinct = len(column.labels)
    if column.many or (distinct > _SURE_CATEGORY and distinct * 2 > column.profile.rows):
        values = f"more than {KEPT_VALUES:,}" if column.many else f"{distinct:,}"
        found.say(f"{name} is free text, with {values} different values, and is left out")
        return {"role": "ignored"}
    return {"dtype": "category", **_allowed(column, ALLOWED_LISTED), **column.policy()}
