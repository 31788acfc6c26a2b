"""`rai demo`: the lending use case on made data, and whether the numbers show what was planted."""

from __future__ import annotations

from dataclasses import dataclass

from rai_assets.errors import RaiError
from rai_assets.home import demo_definition, home
from rai_assets.progress import announce
from rai_assets.use_case.declaration import load
from rai_assets.use_case.reading import select_numbers, write_report
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
    """Audit the demo, and look for the planted faults in nothing but the published numbers.

    Raises:
        RaiError: The installation lacks the demo's declaration, or the audit failed.
    """
    from rai_assets.defs.lending.planted import findings

    declared = load(demo_definition())
    if declared is None:
        raise RaiError(
            "the demo's declaration is not a use case", where=str(demo_definition()), fix="install rai_assets again"
        )
    announce("20,000 loan applications with four planted faults are drawn and audited")
    outcome = run(declared)
    planted = findings([number.as_json() for number in select_numbers(declared)])
    report = write_report(declared, "main", home() / "lending-report.html")
    width = max(len(item.planted) for item in planted)
    lines = ["", "Planted -> found (read from what `rai metrics lending` prints)"]
    for item in planted:
        lines.append(f"  {item.planted:<{width}}  {'found' if item.found else 'NOT FOUND'}  p = {item.p_value:.2g}")
        lines += [f"      {part}" for part in item.evidence.split("; ")]
    lines += ["", f"Report: {report}", "Pages:  rai dev   (in a checkout: make dev), then http://127.0.0.1:3000"]
    return Shown(outcome, "\n".join(lines), all(item.found for item in planted))
