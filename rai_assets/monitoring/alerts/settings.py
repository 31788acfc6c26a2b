"""The declaration of alerts: what is worth telling, through which channel, and when people want quiet."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from rai_assets.data.columns import Strict
from rai_assets.data.times import Zone
from rai_assets.errors import UsageError, near_names
from rai_assets.metrics.requirements import Requirement
from rai_assets.monitoring.alerts.addresses import read

Kind = Literal["check_failed", "metric_crossed", "drift", "not_fresh", "run_failed", "quarantine"]
Severity = Literal["warning", "error"]
DRIFT_ASSETS = ("drift", "attribution_drift", "fairness_drift", "estimated_performance")

_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def _check_address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is no e-mail address")
    return text


def _check_url(text: str) -> str:
    try:
        read(text, "url")
    except UsageError as error:
        raise ValueError(f"{error.what}; {error.fix}") from error
    return text


def _check_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):  # it is not shown: it may be the secret itself
        raise ValueError("is no name of an environment variable, like RAI_OPS_SECRET; what is secret stands there")
    return name


def _check_clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f'{text!r} is no time of day; write it as "22:00"')
    return text


Variable = Annotated[str, AfterValidator(_check_variable)]
"""Name of an environment variable: what is secret stands there, never in the declaration."""
Clock = Annotated[str, AfterValidator(_check_clock)]


class WebhookSettings(Strict):
    """An HTTP endpoint that takes signed JSON (Standard Webhooks).

    Attributes:
        type: `webhook`.
        url: Its address, https; http only to hosts of `RAI_ALERT_HOSTS`.
        url_env: Environment variable with the address, where the address itself is secret.
        secret_env: Environment variable with the secret that signs, `whsec_` and 24 to 64 bytes in base64.
    """

    type: Literal["webhook"]
    url: Annotated[str, Field(max_length=2000), AfterValidator(_check_url)] | None = None
    url_env: Variable | None = None
    secret_env: Variable

    @model_validator(mode="after")
    def _one_address(self) -> WebhookSettings:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give one of `url` and `url_env`")
        return self


class MailSettings(Strict):
    """E-mail, through the server of `RAI_SMTP_URL` and from the sender of `RAI_SMTP_FROM`.

    Attributes:
        type: `mail`.
        to: Who gets it.
    """

    type: Literal["mail"]
    to: Annotated[list[Annotated[str, AfterValidator(_check_address)]], Field(min_length=1, max_length=50)]


class ServiceSettings(Strict):
    """A messaging service with hosts of its own (Slack, Teams, Telegram, PagerDuty, ...), through apprise.

    Attributes:
        type: `service`.
        url_env: Environment variable with apprise's URL, which holds the service's token.
    """

    type: Literal["service"]
    url_env: Variable


Channel = Annotated[WebhookSettings | MailSettings | ServiceSettings, Field(discriminator="type")]


class RuleSettings(Strict):
    """What is worth telling, and to whom.

    Attributes:
        when: `check_failed` (a check of an asset that is none of the others), `metric_crossed` (a number of a result is
            beyond the limit), `drift` (a check of a drift asset), `not_fresh` (an asset is later than its freshness
            policy allows), `run_failed` (a run ended with an error that no other alert tells of), `quarantine` (a batch
            was refused by its contract).
        asset: Only of this asset, e.g. `fairness_audit`; of every one when left out. A metric needs it.
        check: Only this check: the name of a rule, e.g. `ranges`, of a question, e.g. `gaps_not_wider`, or the id of a
            requirement; every one when left out.
        severity: `error` leaves out failed checks that only warn.
        definition: Of the metric.
        sensitive: Columns whose groups the metric compares.
        group: One group, {column: value}.
        coordinates: Further coordinates of the metric.
        at_most: The metric must not be above this.
        at_least: The metric must not be under this.
        to: Names of channels.
        urgent: True is sent in quiet hours as well.
    """

    when: Kind
    asset: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")] | None = None
    check: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    severity: Severity = "warning"
    definition: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    sensitive: list[str] = Field(default_factory=list)
    group: dict[str, str] = Field(default_factory=dict)
    coordinates: dict[str, str] = Field(default_factory=dict)
    at_most: float | None = None
    at_least: float | None = None
    to: Annotated[list[str], Field(min_length=1)]
    urgent: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> RuleSettings:
        limits = [limit for limit in (self.at_most, self.at_least) if limit is not None]
        if self.when == "metric_crossed":
            if self.asset is None or self.definition is None or len(limits) != 1:
                raise ValueError("`metric_crossed` needs `asset`, `definition` and one of `at_most` and `at_least`")
            try:
                self.as_requirement()
            except UsageError as error:
                raise ValueError(f"{error.what}; {error.fix}") from error
        elif self.definition or limits or self.sensitive or self.group or self.coordinates:
            raise ValueError("a definition, its place and its limit belong to `when: metric_crossed`")
        if self.asset is not None and self.when in ("run_failed", "quarantine"):
            raise ValueError(f"`when: {self.when}` is of no one asset; leave out `asset`")
        if self.check is not None and self.when not in ("check_failed", "drift"):
            raise ValueError(f"`when: {self.when}` is of no one check; leave out `check`")
        drift = self.asset in DRIFT_ASSETS
        if self.when == "drift" and self.asset is not None and not drift:
            raise ValueError(f"{self.asset!r} is no asset of drift; {near_names(self.asset, DRIFT_ASSETS)}")
        if self.when == "check_failed" and drift:
            raise ValueError(f"the checks of {self.asset!r} are told as drift; write `when: drift`")
        if self.when == "drift" and self.severity == "error":
            raise ValueError("checks of drift only warn: with `severity: error` none would be told; leave it out")
        return self

    def as_requirement(self) -> Requirement:
        """The limit of a metric, as numbers are judged by it."""
        return Requirement(
            id=f"alert on {self.definition}",
            definition=self.definition or "",
            group=self.group,
            sensitive=self.sensitive,
            coordinates=self.coordinates,
            at_most=self.at_most,
            at_least=self.at_least,
        )


class QuietHours(Strict):
    """When only what is urgent is sent; the rest waits until they end.

    Attributes:
        start: Time of day, e.g. "22:00".
        end: Time of day; before `start` it is on the next day.
        zone: IANA time zone, e.g. Europe/Berlin.
    """

    start: Clock
    end: Clock
    zone: Zone

    @model_validator(mode="after")
    def _some_time(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("quiet hours that start and end at the same time never end")
        return self

    def over(self, at: datetime) -> datetime:
        """The first moment from `at` on that is not quiet.

        Args:
            at: A moment with a time zone.
        """
        local = at.astimezone(ZoneInfo(self.zone))
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        clock = local.time()
        quiet = start <= clock < end if start < end else clock >= start or clock < end
        if not quiet:
            return at
        day = local.date() + timedelta(days=clock >= end)
        return datetime.combine(day, end, local.tzinfo).astimezone(at.tzinfo)


class AlertSettings(Strict):
    """Who is told what.

    Attributes:
        channels: {name: channel}.
        rules: What is worth telling; an event that fits several rules goes to all their channels, once to each.
        quiet_hours: When only what is urgent is sent.
    """

    channels: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")], Channel] = Field(default_factory=dict)
    rules: list[RuleSettings] = Field(default_factory=list)
    quiet_hours: QuietHours | None = None

    @model_validator(mode="after")
    def _channels_exist(self) -> AlertSettings:
        there = ", ".join(self.channels) or "none"
        for rule in self.rules:
            for name in rule.to:
                if name not in self.channels:
                    raise ValueError(f"there is no channel {name!r}; there are: {there}")
        return self
