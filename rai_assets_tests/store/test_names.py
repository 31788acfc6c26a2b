from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.store import names
from rai_assets.store.protocol import InvalidPath, InvalidRef


@pytest.mark.parametrize("name", ["run-1", "tx-9", "results-main", "results-production", "champion", "production"])
def test_names_that_only_the_product_writes(name: str):
    assert names.reserved(name)


@pytest.mark.parametrize("name", ["main", "champion2", "productions", "runs", "my-run-1", "result"])
def test_names_that_are_free(name: str):
    assert not names.reserved(name)


@pytest.mark.parametrize("name", ["rai-lending", "abc", "a" * 63])
def test_repository_names(name: str):
    assert names.check_repository(name) == name


@pytest.mark.parametrize("name", ["ab", "-abc", "A-b", "a_b", "a/b", "../x", "a" * 64, "", "a\n"])
def test_what_is_no_repository_name(name: str):
    with pytest.raises(InvalidRef):
        names.check_repository(name)


@given(st.text(max_size=30))
def test_a_path_that_fits_stays_below_its_root(text: str):
    try:
        path = names.check_path(text)
    except InvalidPath:
        return
    assert all(part not in ("", ".", "..", ".git") for part in path.split("/"))
    assert path.isascii() or path.encode().decode() == path


@given(st.text(max_size=20))
def test_a_branch_that_fits_is_a_tag_and_a_ref_too(text: str):
    try:
        names.check_branch(text)
    except InvalidRef:
        return
    assert names.check_tag(text) == text
    assert names.parse_ref(text) == (text, 0)
    assert names.parse_ref(f"{text}~12") == (text, 12)
