"""A version as files: nothing lost, nothing changed unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from rai_assets.errors import InputRefused
from rai_assets.model.version import ModelVersion


def test_round_trip(boosted: ModelVersion) -> None:
    files = boosted.files()
    assert sorted(files) == ["model.onnx", "parity.json", "version.json"]
    assert ModelVersion.from_files(files) == boosted
    assert (
        boosted.digest == hashlib.sha256(files["model.onnx"]).hexdigest() == json.loads(files["version.json"])["digest"]
    )
    assert not boosted.supplied


def test_a_supplied_file(boosted: ModelVersion) -> None:
    supplied = replace(boosted, encoding=None, parity=None)
    assert sorted(supplied.files()) == ["model.onnx", "version.json"]
    assert ModelVersion.from_files(supplied.files()) == supplied
    assert supplied.supplied


def test_another_file_under_the_same_version(boosted: ModelVersion) -> None:
    files = boosted.files() | {"model.onnx": boosted.onnx + b"\0"}
    with pytest.raises(InputRefused, match="one of the two files was changed|and its version names"):
        ModelVersion.from_files(files)


def test_the_facts_read_well(boosted: ModelVersion) -> None:
    facts = json.loads(boosted.files()["version.json"])
    assert facts["features"][2] == {"name": "job", "kind": "category"}
    assert facts["parameters"] == {"max_iter": 15}
    assert "onnx" not in facts
