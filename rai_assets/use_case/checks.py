"""The checks that a declaration makes, by asset, and whether an alert can be about one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rai_assets.data.rules import rules_of
from rai_assets.errors import near_names
from rai_assets.metrics.requirements import measured_by
from rai_assets.monitoring.alerts.settings import DRIFT_ASSETS, Kind, RuleSettings
from rai_assets.monitoring.batches.rules import blocking, rule_descriptions
from rai_assets.monitoring.checks import ANSWERED, JUDGED_AGAIN

if TYPE_CHECKING:
    from rai_assets.use_case.config import UseCase


def checks_of(use_case: UseCase) -> dict[str, tuple[str, ...]]:
    """{asset: its checks}: rules and answers by their names, requirements by their ids.

    Args:
        use_case: The declaration.
    """
    measured = [(measured_by(item.as_requirement()), item.id) for item in use_case.requirements]
    found = {
        "dataset": tuple(rule.name for rule in rules_of(use_case.dataset)),
        "scorecard": ("gate",),
        "batch": tuple(rule_descriptions(use_case.dataset)),
        **{asset: tuple(checks) for asset, checks in ANSWERED.items()},
    }
    for asset, name in measured:
        for holder in (asset, *(["realized_performance"] if asset in JUDGED_AGAIN else [])):
            found[holder] = (*found.get(holder, ()), name)
    return {asset: found[asset] for asset in use_case.assets if asset in found}


def why_never_told(rule: RuleSettings, use_case: UseCase) -> str | None:
    """Why a rule about one check would never tell anything, in words; None where it can.

    Args:
        rule: With a `check`.
        use_case: The declaration that it stands in.
    """
    check = rule.check or ""
    known = {asset: names for asset, names in checks_of(use_case).items() if rule.asset in (None, asset)}
    there = [asset for asset, names in known.items() if check in names]
    told = [asset for asset in there if _told_as(asset, check) == rule.when]
    if not there:
        names = list(dict.fromkeys(name for names in known.values() for name in names))
        of = "" if rule.asset is None else f" of {rule.asset}"
        return f"there is no check {check!r}{of}; {near_names(check, names) if names else 'there are none'}"
    if not told:
        kind = _told_as(there[0], check)
        more = "leave out `check`, and write" if kind == "quarantine" else "write"
        return f"the check {check!r} of {there[0]} is told as {kind}; {more} `when: {kind}`"
    if rule.severity == "error" and all(_only_warns(asset, check) for asset in told):
        return f"the check {check!r} only warns: with `severity: error` it would never be told; leave that out"
    return None


def _told_as(asset: str, check: str) -> Kind:
    if asset == "batch" and blocking(check):
        return "quarantine"
    return "drift" if asset in DRIFT_ASSETS else "check_failed"


def _only_warns(asset: str, check: str) -> bool:
    return asset == "batch" or check in ANSWERED.get(asset, ())
