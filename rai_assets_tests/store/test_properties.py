"""Any sequence of commits, merges and reverts, against dictionaries that do the same."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.objects import ObjectID
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rai_assets.store import trees
from rai_assets.store.git_objects import BLOB, TREE, GitObject, GitObjects
from rai_assets.store.merge import merge_changes
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import MergeConflict, NoChanges
from rai_assets_tests.store.saying import change, content

State = dict[str, str]
BRANCHES = ("main", "work", "other")
# Some share folders, some are prefixes of each other's text; none is an object and a folder at once.
PATHS = st.sampled_from(["a", "a.b", "b/x", "b/y", "b/z/x", "b-", "c/1"])
CHANGES = st.dictionaries(PATHS, st.one_of(st.none(), st.sampled_from("123")), min_size=1, max_size=4)
BRANCH = st.sampled_from(BRANCHES)
STRATEGY = st.sampled_from([None, None, "source-wins", "dest-wins"])


def merged(base: State, source: State, destination: State, strategy: str | None) -> State | set[str]:
    """The merge by keys, written down plainly: the new state, or the paths in conflict."""
    result = dict(destination)
    conflicts = set()
    for path in base.keys() | source.keys() | destination.keys():
        before, theirs, ours = base.get(path), source.get(path), destination.get(path)
        if theirs in (before, ours):
            continue
        if ours != before and strategy is None:
            conflicts.add(path)
        if ours == before or strategy == "source-wins":
            if theirs is None:
                result.pop(path, None)
            else:
                result[path] = theirs
    return conflicts or result


class Repositories(RuleBasedStateMachine):
    """The engine and a model of it: a dictionary per commit, and the parents of each."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.real = open_repository(Path(self.folder.name), "rai-model")
        root = self.real.resolve("main")
        self.states: dict[str, State] = {root: {}}
        self.parents: dict[str, tuple[str, ...]] = {root: ()}
        self.heads = {"main": root}

    @initialize()
    def branch(self) -> None:
        for name in BRANCHES[1:]:
            self.heads[name] = self.real.create_branch(name, "main")

    @rule(branch=BRANCH, files=CHANGES)
    def commit(self, branch: str, files: dict[str, str | None]) -> None:
        before = self.states[self.heads[branch]]
        after = {path: text for path, text in {**before, **files}.items() if text is not None}
        try:
            made = self.real.commit(branch, change(files), "m")
        except NoChanges:
            assert after == before
            return
        self._moved(branch, made.id, made.parents, after)

    @rule(source=BRANCH, destination=BRANCH, strategy=STRATEGY, squash=st.booleans(), empty=st.booleans())
    def merge(self, source: str, destination: str, strategy, squash: bool, empty: bool) -> None:
        theirs, ours = self.heads[source], self.heads[destination]
        bases = self._bases(theirs, ours)
        expected = {base: merged(*(self.states[one] for one in (base, theirs, ours)), strategy) for base in bases}
        try:
            result = self.real.merge(source, destination, strategy=strategy, squash=squash, allow_empty=empty)
        except NoChanges:
            assert not empty
            assert any(self.states[theirs] == self.states[base] for base in bases)
        except MergeConflict as conflict:
            assert set(conflict.paths) in list(expected.values())
        else:
            assert result.base in bases
            state = expected[result.base]
            assert isinstance(state, dict)
            assert result.commit.parents == ((ours,) if squash else (ours, theirs))
            self._moved(destination, result.commit.id, result.commit.parents, state)

    @rule(branch=BRANCH, steps=st.integers(0, 3))
    def revert(self, branch: str, steps: int) -> None:
        undone = self.heads[branch]
        for _ in range(steps):
            undone = (self.parents[undone] or (undone,))[0]
        parents = self.parents[undone]
        if not parents:
            return
        after = merged(self.states[undone], self.states[parents[0]], self.states[self.heads[branch]], None)
        try:
            made = self.real.revert(branch, undone, 1)
        except NoChanges:
            assert after == self.states[self.heads[branch]]
        except MergeConflict as conflict:
            assert set(conflict.paths) == after
        else:
            assert isinstance(after, dict)
            self._moved(branch, made.id, made.parents, after)

    @rule(left=BRANCH, right=BRANCH)
    def diff(self, left: str, right: str) -> None:
        before, after = self.states[self.heads[left]], self.states[self.heads[right]]
        shown = {item.path: item.kind for item in self.real.diff(left, right, two_dot=True)}
        assert shown == {
            path: "added" if path not in before else "removed" if path not in after else "changed"
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path)
        }

    @invariant()
    def the_heads_hold_what_they_should(self) -> None:
        assert self.real.branches() == dict(sorted(self.heads.items()))
        for head in set(self.heads.values()):
            assert content(self.real, head) == self.states[head]

    def teardown(self) -> None:
        for commit in self.real.log("main"):
            assert content(self.real, commit.id) == self.states[commit.id]
            assert commit.parents == self.parents[commit.id]
        self.folder.cleanup()

    def _moved(self, branch: str, commit: str, parents: tuple[str, ...], state: State) -> None:
        assert parents[0] == self.heads[branch]
        self.states[commit], self.parents[commit], self.heads[branch] = state, parents, commit

    def _bases(self, left: str, right: str) -> set[str]:
        """Common ancestors that are no ancestor of another one."""
        common = self._ancestors(left) & self._ancestors(right)
        return {one for one in common if not any(one in self._ancestors(other) - {other} for other in common)}

    def _ancestors(self, commit: str) -> set[str]:
        found, pending = set(), [commit]
        while pending:
            one = pending.pop()
            if one not in found:
                found.add(one)
                pending += self.parents[one]
        return found


TestRepositories = Repositories.TestCase
TestRepositories.settings = settings(
    max_examples=12, stateful_step_count=16, derandomize=True, suppress_health_check=list(HealthCheck)
)


def by_chance(state: State, changes: int, chance: random.Random) -> State:
    """A state with so many changes in it: one in three edits, one deletes, one adds."""
    after = dict(state)
    for path in chance.sample(sorted(state), changes):
        kind = chance.randrange(3)
        if kind:
            after[path if kind == 1 else f"{path}+"] = chance.choice("123")
        else:
            del after[path]
    return after


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[GitObjects]:
    GitObjects.create(tmp_path / "objects")
    store = GitObjects(tmp_path / "objects")
    yield store
    store.close()


@pytest.mark.parametrize("changes", [1, 30, 900])
@pytest.mark.parametrize("strategy", [None, "source-wins", "dest-wins"])
def test_a_merge_of_large_folders_is_the_merge_by_keys(objects: GitObjects, strategy, changes: int):
    """Most of what is in such folders is never looked at."""
    for seed in range(4):
        chance = random.Random(seed)
        base = {f"{'flat' if number % 2 else f'd{number % 7}'}/f{number}": "0" for number in range(3000)}
        source, destination = by_chance(base, changes, chance), by_chance(base, changes, chance)
        roots = [_tree(objects, state) for state in (base, source, destination)]
        changed = trees.compare(objects, *roots[:2])
        present = trees.find_all(objects, roots[2], changed)
        expected = merged(base, source, destination, strategy)
        try:
            root, made = trees.rewrite(objects, roots[2], merge_changes(changed, present, strategy))
        except MergeConflict as conflict:
            assert set(conflict.paths) == expected
            continue
        objects.write(made)
        assert dict(trees.walk(objects, root)) == {path: _pointer(text).id for path, text in dict(expected).items()}


def _tree(objects: GitObjects, state: State) -> ObjectID:
    empty = GitObject.make(TREE, b"")
    objects.write([empty])
    root, made = trees.rewrite(objects, empty.id, {path: _pointer(text).id for path, text in state.items()})
    objects.write(made)
    return root


def _pointer(text: str) -> GitObject:
    return GitObject.make(BLOB, text.encode())
