"""What `rai init` writes holds as it stands, and so do its examples once their comment signs are gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rai_assets.data.column_guess import Wishes
from rai_assets.use_case.declaration import find
from rai_assets.use_case.template import write_inferred

_ROWS = [f"{row % 7},{'ab'[row % 2]},{row * 1.5:.1f},{'nmo'[row % 3]},{'yn'[row % 2]}" for row in range(60)]


@pytest.mark.parametrize(
    ("target", "required"),
    [
        ("repaid", ["demographic_parity_difference", "accuracy"]),
        ("kind", ["accuracy_difference", "accuracy"]),
        ("amount", ["mean_absolute_error_difference", "r2"]),
    ],
)
def test_the_requirements_to_begin_with_fit_the_task(
    target: str, required: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_DEFS", str(tmp_path / "defs"))
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["x,sex,amount,kind,repaid", *_ROWS]) + "\n")
    path, _ = write_inferred(
        "loans", [data], [], Wishes(target=target, sensitive=("sex",)), columns=None, separator=None, report=print
    )
    assert find("loans").use_case.requirements == []
    before, examples = path.read_text().split("  # requirements:\n")
    path.write_text(f"{before}  requirements:\n{re.sub('^  # ', '  ', examples, flags=re.MULTILINE)}")
    found = find("loans").use_case.requirements
    assert [item.definition.partition("@")[0] for item in found] == required
    assert [item.sensitive for item in found] == [["sex"], []]
