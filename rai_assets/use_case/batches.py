"""The batches of a use case from the command line: listing them, accepting a contract, letting one pass."""

from __future__ import annotations

from datetime import datetime

from rai_assets.errors import UsageError
from rai_assets.home import home
from rai_assets.monitoring.batches.entries import Entry, State
from rai_assets.monitoring.batches.label_store import waiting_labels
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.quarantine import Acceptance, accept_contract
from rai_assets.monitoring.batches.quarantine import let_pass as let_batch_pass
from rai_assets.store.open import open_repository
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.people import person


def production_of(declared: Declared) -> Production:
    """What watches the batches of a use case.

    Raises:
        UsageError: It declares no production.
    """
    use_case = declared.use_case
    if use_case.production is None:
        raise UsageError(
            f"{use_case.name} declares no production",
            where=str(declared.path),
            fix="add e.g. `production: {inbox: {path: inbox}}`",
        )
    return Production(use_case.keys(), use_case.dataset, use_case.production, declared.folder, home())


def listed(declared: Declared, state: State | None = None) -> list[Entry]:
    """The batches in a state, or all, by key.

    Raises:
        UsageError: The use case declares no production.
    """
    production = production_of(declared)
    with production.arrivals(open_repository(home(), production.keys.repository)) as arrivals:
        return arrivals.entries(state)


def labels_without_rows(declared: Declared) -> dict[str, int]:
    """{file: how many of its labels are of rows that have not arrived}."""
    return waiting_labels(open_repository(home(), production_of(declared).keys.repository))


def accept(declared: Declared, reason: str, batch: str | None, effective: datetime | None) -> Acceptance:
    """Make a changed schema the next version of the contract; arguments and refusals as `accept_contract`."""
    production = production_of(declared)
    repository = open_repository(home(), production.keys.repository)
    return accept_contract(production, repository, by=person(), reason=reason, batch=batch, effective=effective)


def let_pass(declared: Declared, batch: str, reason: str) -> str:
    """Let a batch in quarantine pass on a person's word; returns what follows. Refusals as `quarantine.let_pass`."""
    production = production_of(declared)
    repository = open_repository(home(), production.keys.repository)
    word = let_batch_pass(production, repository, batch, by=person(), reason=reason)
    broken = f"the rule {word.of[0]} does" if len(word.of) == 1 else f"the rules {', '.join(word.of)} do"
    return f"{batch} is audited again, and published although {broken} not hold. {word.sentence}"
