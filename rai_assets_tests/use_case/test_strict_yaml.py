"""Strict YAML: the rules of 1.2, no aliases, no depth without end, and one clear refusal of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.errors import DeclarationError
from rai_assets.use_case.strict_yaml import read_yaml


def test_yaml_is_read_by_the_rules_of_1_2(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "country: NO\ntime: 12:30:00\nversion: 1.10\nquoted: '1.10'\nday: 2024-01-01\nnone: null\nyes: true\n"
    )
    value, lines = read_yaml(path)
    assert value == {
        "country": "NO", "time": "12:30:00", "version": 1.1, "quoted": "1.10", "day": "2024-01-01", "none": None,
        "yes": True,
    }  # fmt: skip
    assert lines[("quoted",)] == 4


def test_an_alias_bomb_is_refused_before_it_is_built(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))
    path.write_text(f"a0: &a0 [x]\n{levels}\n")
    with pytest.raises(DeclarationError, match="aliases"):
        read_yaml(path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 100_000)
    with pytest.raises(DeclarationError, match="levels deep"):
        read_yaml(path)


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_one_clear_refusal(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_yaml(path)
    except DeclarationError as refused:
        assert str(path) in str(refused)
