"""What may be declared about alerts, and when quiet hours end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from rai_assets.monitoring.alerts.settings import AlertSettings, QuietHours
from rai_assets_tests.monitoring.alerts.conftest import settings


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"when": "drift", "to": ["opss"]}, "there is no channel 'opss'; there are: ops, team"),
        ({"when": "drift", "to": []}, "at least 1 item"),
        ({"when": "metric_crossed", "to": ["ops"], "asset": "evaluation"}, "needs `asset`, `definition` and one of"),
        (
            {"when": "metric_crossed", "to": ["ops"], "asset": "evaluation", "definition": "acuracy", "at_least": 0.9},
            "acuracy",
        ),
        ({"when": "drift", "to": ["ops"], "at_most": 0.1}, "belong to `when: metric_crossed`"),
        ({"when": "full_moon", "to": ["ops"]}, "check_failed"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_in_words(rule: dict, said: str) -> None:
    with pytest.raises((ValidationError, Exception)) as refused:
        settings(rule)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"type": "mail", "to": ["nobody"]}, "'nobody' is no e-mail address"),
        ({"type": "mail", "to": ["a@b.org\nBcc: c@d.org"]}, "is no e-mail address"),
        ({"type": "webhook", "secret_env": "RAI_S"}, "give one of `url` and `url_env`"),
        (
            {"type": "webhook", "url": "https://a.org", "secret_env": "whsec_abc"},
            "is no name of an environment variable",
        ),
        ({"type": "pigeon"}, "'webhook', 'mail', 'service'"),
    ],
)
def test_a_channel_that_cannot_be_used_is_refused(channel: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=".*") as refused:
        AlertSettings.model_validate({"channels": {"ops": channel}})
    assert said in str(refused.value)
    assert "whsec_abc" not in str(refused.value)


@pytest.mark.parametrize(
    ("start", "end", "asked", "over"),
    [
        ("22:00", "06:30", "2026-01-10T12:00", "2026-01-10T12:00"),
        ("22:00", "06:30", "2026-01-10T23:00", "2026-01-11T05:30"),  # Berlin is an hour ahead of UTC in winter
        ("22:00", "06:30", "2026-01-11T03:00", "2026-01-11T05:30"),
        ("22:00", "06:30", "2026-07-11T03:00", "2026-07-11T04:30"),  # and two in summer
        ("22:00", "06:30", "2026-01-11T05:30", "2026-01-11T05:30"),  # they end with the minute that is named
        ("12:00", "13:00", "2026-01-10T11:30", "2026-01-10T12:00"),
        ("22:00", "06:30", "2026-03-28T22:30", "2026-03-29T04:30"),  # the night of the change to summer time
    ],
)
def test_quiet_hours_end_at_a_time_of_day_in_their_zone(start: str, end: str, asked: str, over: str) -> None:
    quiet = QuietHours(start=start, end=end, zone="Europe/Berlin")
    moment = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    assert quiet.over(moment) == datetime.fromisoformat(over).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ({"start": "22:00", "end": "22:00", "zone": "UTC"}, "never end"),
        ({"start": "22", "end": "06:00", "zone": "UTC"}, "no time of day"),
        ({"start": "22:00", "end": "06:00", "zone": "Berlin"}, "no IANA time zone"),
        ({"start": "22:00", "end": "06:00", "zone": "../../etc/passwd"}, "no IANA time zone"),
    ],
)
def test_hours_that_are_none_are_refused(hours: dict, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        QuietHours.model_validate(hours)
    assert said in str(refused.value)
