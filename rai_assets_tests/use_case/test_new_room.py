"""CONTRIBUTING shows a new question in ten lines; here it is read from that page and asked."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg

from rai_assets.store import results
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.graph import RESOURCES
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run

PAGE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"


def test_the_room_of_the_guide_answers(loans: Declared) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "room =" in block)
    names: dict[str, object] = {}
    exec(code, names)
    room = names["room"]

    run(loans)
    asset = room.build(loans.use_case.keys())  # type: ignore[attr-defined]
    with dg.DagsterInstance.get() as instance:
        done = dg.materialize([asset], selection=[asset], resources=RESOURCES, partition_key="main", instance=instance)
    assert done.success
    repository = repository_of("loans")
    (number,) = results.addressed_numbers(repository, repository.resolve("results-main"), "weekend_share")
    assert number.definition == "weekend_share@1"
    assert number.n == 200
    assert 0.2 < (number.value or 0) < 0.5
    assert number.address is not None and number.address.startswith("loans@")
