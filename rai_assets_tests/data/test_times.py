"""Times of a declaration: what is refused, and that Dagster takes what is not."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.data.times import check_cron, span, spoken

FIELDS = st.one_of(
    st.integers(-1, 61).map(str),
    st.tuples(st.integers(0, 13), st.integers(0, 13)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.sampled_from(
        ["*", "*/5", "*/0", "*/61", "1-9/2", "3/2", "1,2", "1,,2", "*-3", "mon-fri", "sat-sun", "feb", "L"]
    ),
)


@pytest.mark.parametrize(
    "text", ["0 3 * * *", "*/15 0-6,22 1 jan-mar mon-fri", "59 23 29 feb *", "0 0 * * 0,7", "5-50/15 * 30,31 2,3 *"]
)
def test_times_that_come_again(text: str) -> None:
    assert check_cron(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not say when"),
        ("@daily", "does not say when"),
        ("0 0 3 * * *", "does not say when"),
        ("0  3 * *", "is no hour"),
        ("60 * * * *", "'60' is no minute of 0 to 59"),
        ("0 5-1 * * *", "'5-1' is no hour of 0 to 23"),
        ("0 0 0 * *", "'0' is no day of the month of 1 to 31"),
        ("0 0 * 13 *", "'13' is no month of 1 to 12"),
        ("0 0 * * 8", "'8' is no weekday of 0 to 7"),
        ("0 0 L * *", "'l' is no day of the month"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("٣ * * * *", "is no minute"),
        ("0 0 30 feb *", "names a day that no year has"),
        ("0 0 31 4,6 *", "names a day that no year has"),
    ],
)
def test_what_is_no_time(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="cron|says?|year") as refusal:
        check_cron(text)
    assert said in str(refusal.value)


@given(st.lists(FIELDS, min_size=4, max_size=6).map(" ".join))
def test_dagster_takes_every_time_that_is_taken_here(text: str) -> None:
    try:
        check_cron(text)
    except ValueError:
        return
    assert dg.ScheduleDefinition(job_name="job", cron_schedule=text).cron_schedule == text


@pytest.mark.parametrize(
    ("text", "length"), [("90d", timedelta(90)), ("12h", timedelta(hours=12)), ("0m", timedelta(0))]
)
def test_spans(text: str, length: timedelta) -> None:
    assert span(text) == length


@pytest.mark.parametrize("text", ["", "14", "d", "-1d", "1.5d", "2w", "9999999d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="no span of time"):
        span(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.4, "59 s"), (60, "1 minute"), (7200, "2 hours"), (90_000, "1 day")]
)
def test_spans_for_people(seconds: float, text: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == text
