"""What happened, in a form that can be told: the event, its id, and who wants it told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rai_assets.keys import check_name
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import judge
from rai_assets.monitoring.alerts.settings import AlertSettings, Kind, RuleSettings, Severity

_MAX_TEXT = 2000  # characters
_MAX_TITLE = 200


@dataclass(frozen=True)
class Event:
    """Something that happened in one use case.

    Attributes:
        kind: What it is.
        use_case: Name of the use case.
        asset: Last part of the asset key; empty if it belongs to a whole run.
        subject: What of the asset: the check, the definition and its place; empty if there is nothing more to say.
        partition: The data branch or batch; empty where there is none.
        run: Id of the run that found it; empty where no run did.
        at: Seconds since 1970.
        severity: `warning` or `error`.
        title: One line.
        text: A few sentences: what, where, what to do.
        link: Page with the details; empty if the address of the pages is not known.
        content: What it was found of, e.g. a digest: the same thing found of something else is news.
    """

    kind: Kind
    use_case: str
    asset: str
    subject: str
    partition: str
    run: str
    at: float
    severity: Severity
    title: str
    text: str
    link: str = ""
    content: str = ""

    @property
    def thing(self) -> str:
        """What is told of, the same in every run: of the same content it is no news while the first event stands."""
        return json.dumps([self.use_case, self.kind, self.asset, self.subject, self.partition])

    @property
    def id(self) -> str:
        """The same for every copy of this event, so that a receiver can drop a second one."""
        return "evt_" + hashlib.sha256(json.dumps([self.thing, self.run, self.at]).encode()).hexdigest()[:32]

    def body(self) -> dict[str, Any]:
        """JSON value that a webhook is sent; the time in UTC."""
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
        facts = {**asdict(self), "title": self.title[:_MAX_TITLE], "text": self.text[:_MAX_TEXT], "at": moment}
        del facts["content"]
        return {"id": self.id, "type": f"rai.{facts.pop('kind')}", **facts}


def judged(rule: RuleSettings, numbers: Iterable[Number]) -> tuple[bool, str, str]:
    """Whether numbers of a result are beyond the limit of a rule.

    They are when the verdict is `fail`: the whole interval is beyond the limit, or the value where there is no
    interval.

    Args:
        rule: With `when: metric_crossed`.
        numbers: Of the rule's asset.

    Returns:
        Whether they are, the verdict in a sentence, and the subject of the event.
    """
    verdict = judge(rule.as_requirement(), numbers)
    return verdict.verdict == "fail", verdict.sentence, limit_of(rule)


def limit_of(rule: RuleSettings) -> str:
    """The metric of a rule, its place and its limit, as text that names them alone."""
    place = {"sensitive": ",".join(rule.sensitive), **rule.group, **rule.coordinates}
    inside = ", ".join(f"{name}={value}" for name, value in place.items() if value)
    limit = f"at most {rule.at_most:g}" if rule.at_most is not None else f"at least {rule.at_least:g}"
    return f"{rule.definition}[{inside}] {limit}"


def notices(settings: AlertSettings, events: Sequence[Event]) -> list[tuple[Event, dict[str, bool]]]:
    """Who is told of which event.

    The failure of a run is not told to a channel that is told of an error which the same run found.

    Args:
        settings: Of the use case.
        events: Of that use case; those of one run together.

    Returns:
        Events that somebody is told of, each with {channel: urgent}; a channel of several rules is urgent if one of
        them is.
    """
    told: set[tuple[str, str]] = set()
    found = []
    for event in sorted(events, key=lambda event: event.kind == "run_failed"):
        receivers: dict[str, bool] = {}
        for rule in settings.rules:
            if _wants(rule, event):
                receivers.update({name: receivers.get(name, False) or rule.urgent for name in rule.to})
        if event.kind == "run_failed":
            receivers = {name: urgent for name, urgent in receivers.items() if (event.run, name) not in told}
        elif event.severity == "error":
            told.update((event.run, name) for name in receivers)
        if receivers:
            found.append((event, receivers))
    return found


def _wants(rule: RuleSettings, event: Event) -> bool:
    return (
        rule.when == event.kind
        and rule.asset in (None, event.asset)
        and (rule.check is None or event.subject in (rule.check, check_name(rule.check)))
        and (rule.severity == "warning" or event.severity == "error")
        and (rule.when != "metric_crossed" or limit_of(rule) == event.subject)
    )
