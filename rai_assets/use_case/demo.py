"""`rai demo`: an audit and a year of production on made data, and whether they show what was planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rai_assets.charts.text import chance, how_many
from rai_assets.errors import RaiError
from rai_assets.home import demo_definition, demo_in_production, demo_inbox, home, prepare
from rai_assets.progress import Progress, announce
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.numbers import select_numbers
from rai_assets.use_case.reading import write_production_report, write_report
from rai_assets.use_case.run import Outcome, run


@dataclass(frozen=True)
class Shown:
    """What the demo ended with.

    Attributes:
        outcome: The outcome of the audit.
        text: The table *planted -> found* and where to look.
        all_found: Every planted fault was found.
    """

    outcome: Outcome
    text: str
    all_found: bool


def run_demo() -> Shown:
    """Audit the demo, play its year of production, and look for what was planted in nothing but what is published.

    Raises:
        RaiError: The installation lacks the demo's declarations, or an audit failed.
    """
    from rai_assets.defs.lending.planted import findings
    from rai_assets.defs.lending_served.found import UNSEEN, changes_found

    declared = _packaged(demo_definition())
    announce("20,000 loan applications with four planted faults are drawn and audited")
    outcome = run(declared)
    planted = findings([number.as_json() for number in select_numbers(declared)])
    report = write_report(declared, "main", home() / "lending-report.html")
    lines = ["", "Planted -> found (read from what `rai metrics lending` prints)"]
    width = max(len(item.planted) for item in planted)
    for item in planted:
        told = "found" if item.found else "NOT FOUND"
        lines.append(f"  {item.planted:<{width}}  {told}  {chance(item.p_value, named=True)}")
        lines += [f"      {part}" for part in item.evidence.split("; ")]
    changes = changes_found(play_year())
    lines += ["", "Planted -> found in a year of production (`rai report lending_served --production`)"]
    for change in changes:
        lines += [f"  {change.planted}  {'found' if change.found else 'NOT FOUND'}", f"      {change.evidence}"]
    lines += [f"  {UNSEEN}  not to be seen", "      no labels have arrived, and nothing else shows it"]
    lines += ["", f"Report: {report}", f"        {_year_report()}"]
    lines.append("Pages:  rai dev   (in a checkout: make dev), then http://127.0.0.1:3000")
    return Shown(outcome, "\n".join(lines), all(item.found for item in planted) and all(item.found for item in changes))


def play_year(*, planted: bool = True) -> Sequence[Mapping[str, Any]]:
    """Audit the mended model, let a year of batches arrive, and report on it.

    Args:
        planted: Whether the changes are in the batches.

    Returns:
        The report's alarms.

    Raises:
        RaiError: The installation lacks the declaration, the model was not let through, or a batch was not worked on.
    """
    from rai_assets.defs.lending_served.year import write_inbox

    declared = _packaged(demo_in_production())
    prepare()
    announce("Without the faults the model passes its gate and serves; a year of monthly batches arrives")
    run(declared)
    write_inbox(demo_inbox(), planted=planted)
    done = backfill(declared, None, None, Progress(lambda _: None))
    if done.problems:
        raise RaiError(
            f"the year could not be played: {done.problems[0]}", fix="remove the state folder, and run again"
        )
    announce(f"{how_many(done.accepted + done.present, 'batch')} accepted, {done.quarantined} in quarantine")
    made = write_production_report(declared, _year_report())
    alarms: Sequence[Mapping[str, Any]] = made.result.facts["alarms"]
    return alarms


def _year_report() -> Path:
    return home() / "lending-production.html"


def _packaged(path: Path) -> Declared:
    declared = load(path)
    if declared is None:
        raise RaiError("the demo's declaration is not a use case", where=str(path), fix="install rai_assets again")
    return declared
