"""Whether what should work by itself does, seen from outside: Dagster's daemon, its sensors, the outbox of alerts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rai_assets.charts.text import how_many
from rai_assets.data.times import spoken
from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home
from rai_assets.use_case.declaration import Declared, load_all

_NEEDED = {"SENSOR": "sensors", "SCHEDULER": "schedules"}  # Dagster's names of the daemon's parts, and ours
_SHORTEST = timedelta(minutes=1)
_PATIENCE = timedelta(hours=1)  # for an alert that no channel takes
_AGAIN = "start it: `rai dev`, or `dagster-daemon run` where the pages are served by another process"


def signs_of_life(limit: timedelta) -> list[str]:
    """What was heard of what should work by itself, as lines. Reads Dagster's records; changes nothing.

    Args:
        limit: How long silence is none.

    Raises:
        RaiError: Something is silent for longer, or alerts are not taken; in one sentence.
        UsageError: The limit is shorter than the daemon's own pauses.
    """
    if limit < _SHORTEST:
        raise UsageError("Dagster's daemon is heard of twice a minute only", where="--stale", fix="ask for 2m or more")
    now = time.time()
    declared = load_all()[0]
    with _records() as instance:
        lines, problems = _heard(instance, limit, now)
        if not problems:
            looks, problems = _looked(instance, declared, limit, now)
            lines += looks
    untold = list(_untold(home(), now))
    if problems:
        raise RaiError("; ".join([*problems, *untold]), where=str(home()), fix=_AGAIN)
    if untold:
        raise RaiError(untold[0], where=str(home()), fix="`rai alerts list` shows why, `rai alerts retry` tries again")
    return lines


def _records() -> Any:
    """Dagster's records, if there are any.

    Raises:
        RaiError: Dagster has not run in this state folder.
    """
    folder = home() / "dagster"
    if not (folder / "dagster.yaml").exists():
        raise RaiError("Dagster's daemon was never heard of", where=str(folder), fix=f"{_AGAIN}; or set RAI_HOME")

    import dagster as dg

    return dg.DagsterInstance.from_config(str(folder))


def _heard(instance: Any, limit: timedelta, now: float) -> tuple[list[str], list[str]]:
    """Lines about the daemon's parts, and the problem with those that are silent."""
    beats = instance.get_daemon_heartbeats()
    ages = {part: timedelta(seconds=now - beats[part].timestamp) for part in _NEEDED if part in beats}
    silent = [part for part in _NEEDED if part not in ages or ages[part] > limit]
    if not silent:
        return [f"Dagster's daemon was heard of {spoken(max(ages.values()))} ago."], []
    if not ages:
        return [], ["Dagster's daemon was never heard of"]
    if len(silent) == len(_NEEDED) and len(ages) == len(_NEEDED):
        return [], [f"Dagster's daemon was not heard of for {spoken(min(ages.values()))}"]
    told = [
        f"the part of Dagster's daemon for {_NEEDED[part]} was "
        + (f"not heard of for {spoken(ages[part])}" if part in ages else "never heard of")
        for part in silent
    ]
    return [], told


def _looked(instance: Any, declared: Sequence[Declared], limit: timedelta, now: float) -> tuple[list[str], list[str]]:
    """Lines about the looks into the inboxes, and the problems with those that nobody looks into.

    A daemon that lives and cannot load the declarations looks into none.
    """
    lines, problems = [], []
    states = {state.name: state for state in instance.all_instigator_state()}
    for item in declared:
        keys = item.use_case.keys()
        if item.use_case.production is None:
            continue
        state = states.get(keys.arrivals_sensor)
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1) if state is not None else []
        if state is not None and state.status.value == "STOPPED":
            lines.append(f"{keys.name}: the sensor {keys.arrivals_sensor} is switched off")
        elif not ticks:
            problems.append(f"nobody has looked into the inbox of {keys.name} yet")
        elif (age := timedelta(seconds=now - ticks[0].timestamp)) > limit:
            problems.append(f"nobody has looked into the inbox of {keys.name} for {spoken(age)}")
        else:
            lines.append(f"{keys.name}: the inbox was looked into {spoken(age)} ago.")
    return lines, problems


def _untold(folder: Path, now: float) -> Iterator[str]:
    """What is said of alerts that were tried and are not taken for too long; those of quiet hours were not tried."""
    from rai_assets.monitoring.alerts.outbox import open_outbox

    if not (folder / "alerts" / "outbox.sqlite").exists():
        return
    waiting = open_outbox(folder).untaken(now - _PATIENCE.total_seconds())
    if waiting:
        channels = ", ".join(sorted({item.channel for item in waiting}))
        oldest = now - min(datetime.fromisoformat(item.body["at"]).timestamp() for item in waiting)
        alerts = how_many(len(waiting), "alert waits", "alerts wait")
        yield f"{alerts} for {channels}, the oldest for {spoken(timedelta(seconds=oldest))}"
