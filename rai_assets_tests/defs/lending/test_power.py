"""What is planted is found, and on the twin nothing is claimed: over many seeds, at the level of arrays."""

from __future__ import annotations

import pytest

from rai_assets.defs.lending import generator
from rai_assets_tests.defs.lending.power import all_found, claimed, false_findings


@pytest.mark.parametrize("fault", generator.FAULTS)
def test_one_fault_alone_is_found_and_no_other_is_claimed(fault):
    assert claimed(0, [fault]) == {fault}


def test_every_fault_is_found_and_on_the_twin_none_is_claimed():
    assert claimed(0, True) == set(generator.FAULTS)
    assert [claimed(seed, False) for seed in range(100, 106)] == [set()] * 6


@pytest.mark.nightly
def test_on_two_hundred_twins_at_most_five_per_cent_have_a_claim():
    assert false_findings() <= 10


@pytest.mark.nightly
def test_on_fifty_seeds_all_four_are_found_in_at_least_ninety_five_per_cent():
    assert all_found() >= 48


@pytest.mark.nightly
@pytest.mark.parametrize("fault", generator.FAULTS)
def test_one_fault_alone_makes_no_other_appear(fault):
    found = [claimed(seed, [fault]) for seed in range(2_000, 2_040)]
    assert sum(fault in names for names in found) >= 38
    assert sum(len(names - {fault}) for names in found) <= 3
