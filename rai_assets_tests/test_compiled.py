"""Where compiled code is kept, and that somebody who waits is told once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import rai_assets

# The operating system's answer for a package that somebody else installed: its folder cannot be written to.
_NOT_OURS = """
import os
access = os.access
os.access = lambda path, mode: os.path.basename(path) != "rai_assets" and access(path, mode)
"""
_CALL = """
import numpy as np
from rai_assets.progress import listening

with listening(lambda line: print("told", line)):
    from rai_assets.analysis.explanation.sampling_kernels import mix

    print("mixed", mix(np.uint64(5)))
print("from the cache", sum(mix.stats.cache_hits.values()))
"""


def call(state: Path, code: str = _NOT_OURS + _CALL) -> list[str]:
    """What a new process prints that has its own state folder and no home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    environment |= {
        "RAI_HOME": str(state),
        "HOME": "/nonexistent",
        "PYTHONPATH": str(Path(rai_assets.__file__).parents[1]),
    }
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def test_code_goes_to_the_state_folder_where_the_package_is_not_ours(tmp_path: Path) -> None:
    told, mixed, hits = call(tmp_path)
    assert told == "told compiling functions, once after an installation ..."
    assert hits == "from the cache 0"
    assert list((tmp_path / "compiled").rglob("sampling_kernels.mix-*.nbc"))
    assert call(tmp_path) == [mixed, "from the cache 1"], "the next process loads it, and has nothing to tell"


def test_without_any_place_the_code_lives_as_long_as_the_process(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    assert call(state)[-1] == "from the cache 0"
    assert not list(tmp_path.rglob("*.nbc"))


def test_code_stays_beside_a_package_that_can_be_written_to(tmp_path: Path) -> None:
    call(tmp_path, _CALL)
    assert not (tmp_path / "compiled").exists()
