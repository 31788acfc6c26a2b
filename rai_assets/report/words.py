"""Names and formulas of the measures in a report, from the registry of definitions."""

from __future__ import annotations

from collections.abc import Iterable

from rai_assets.metrics.definitions import DEFINITIONS, Definition

_HEADINGS = {"count@1": "Rows"}


def definition_name(definition: str) -> str:
    """The name of a definition for people; an id that is not registered is spelled out."""
    known = DEFINITIONS.get(definition)
    spelled = definition.partition("@")[0].replace("_", " ")
    name = _HEADINGS.get(definition) or (known.name if known else spelled)
    return name[:1].upper() + name[1:]


def definitions_used(identifiers: Iterable[str]) -> list[Definition]:
    """The registered definitions among the ids, each once, by name."""
    found = {identifier: DEFINITIONS[identifier] for identifier in identifiers if identifier in DEFINITIONS}
    return sorted(found.values(), key=lambda definition: definition.name.lower())
