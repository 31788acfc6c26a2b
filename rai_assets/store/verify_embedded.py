"""The embedded store's own files: every one is read, and compared with the digest that names it."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from dulwich.objects import ObjectID

from rai_assets.errors import RaiError
from rai_assets.store import history, trees
from rai_assets.store.blobs import ContentFolder, copy_hashed
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.git_objects import BLOB, COMMIT, TREE, GitObject
from rai_assets.store.names import DEFAULT_BRANCH
from rai_assets.store.pointers import Pointer
from rai_assets.store.verify import Damage, Report, Survey

_SHA1 = 20  # bytes at the end of a pack and of its index: the digest of what stands before


def survey(root: Path, report: Report) -> Survey:
    """What the history of a repository's folder leads to, and what of its files is damaged."""
    found = walked(root, report).found
    found.damages.extend(_file_damages(root))
    return found


def walked(root: Path, report: Report) -> Walk:
    """A walk from every branch and tag."""
    git = GitLayer(root)
    walk = Walk(git, report)
    main = f"branch {DEFAULT_BRANCH}"
    for name, head in {main: BackendUnavailable("it is missing"), **dict(git.every_ref())}.items():
        if isinstance(head, str):
            walk.refs[name] = head
            walk.follow(head, name)
        else:
            walk.found.damages.append(Damage("", name, head.what))
    return walk


def stray_damages(root: Path, used: set[str], report: Report) -> Iterator[Damage]:
    """Contents that no commit leads to and that are damaged: a later commit of the same bytes would count on them."""
    strays = [path for path in ContentFolder(root).stored() if path.name not in used]
    for number, path in enumerate(strays):
        report("unused contents verified", number, len(strays))
        try:
            with path.open("rb") as stream:
                sound = copy_hashed(stream, None).sha256 == path.name
        except FileNotFoundError:
            continue  # swept meanwhile
        except OSError:
            sound = False
        if not sound:
            yield Damage("", _shown(root, path), "no commit leads to it, and it is damaged: delete the file")


class Walk:
    """A walk over everything that refs lead to. What is damaged is noted, and the walk goes on beside it.

    Args:
        git: The repository.
        report: Told how many commits were read.

    Attributes:
        refs: `branch <name>` or `tag <name>` to the commit where the walk began.
        found: What was met.
        seen: Ids of all objects of git met, but for damaged ones.
    """

    def __init__(self, git: GitLayer, report: Report) -> None:
        self.refs: dict[str, str] = {}
        self.found = Survey()
        self.seen: set[ObjectID] = set()
        self._met: set[ObjectID] = set()
        self._git = git
        self._report = report

    def follow(self, head: str, name: str) -> None:
        """Every commit from a head back to the first."""
        pending = [(ObjectID(head.encode()), "", name)]
        while pending:
            identity, child, place = pending.pop()
            if not self._sound(identity, COMMIT, child, place):
                continue
            commit = identity.decode()
            node = history.read(self._git.objects, commit)
            self.found.commits.add(commit)
            self._report("commits read", len(self.found.commits), 0)
            self._tree(node.tree, commit)
            pending += [
                (ObjectID(parent.encode()), commit, f"its parent {parent[:12]}") for parent in node.commit.parents
            ]

    def _tree(self, root: ObjectID, commit: str) -> None:
        pending = [(root, "")]
        while pending:
            identity, base = pending.pop()
            if not self._sound(identity, TREE, commit, base or "its list of objects"):
                continue
            for name, mode, entry in trees.entries(self._git.objects, identity):
                path = base + name.decode()
                if stat.S_ISDIR(mode):
                    pending.append((entry, path + "/"))
                elif self._sound(entry, BLOB, commit, path):
                    item = Pointer.decode(self._git.pointer(entry)).info(path)
                    self.found.hold(item.sha256, commit, item)

    def _sound(self, identity: ObjectID, kind: int, commit: str, path: str) -> bool:
        """True for an object met for the first time that can be read and is what its id says."""
        if identity in self._met:
            return False
        self._met.add(identity)
        fault = self._fault(identity, kind)
        if fault:
            self.found.damages.append(Damage(commit, path, f"{fault} (git object {identity.decode()})"))
        else:
            self.seen.add(identity)
        return not fault

    def _fault(self, identity: ObjectID, kind: int) -> str:
        try:
            found, raw = self._git.objects.get_raw(identity)
        except KeyError:
            return "its record is missing"
        except RaiError as fault:
            return fault.what
        except Exception as fault:  # a damaged pack breaks its reader anywhere
            return f"its record cannot be read ({type(fault).__name__})"
        if found != kind or GitObject.make(found, raw).id != identity:
            return "its record does not have the digest of its name"
        return ""


def _file_damages(root: Path) -> Iterator[Damage]:
    """Packs and settings that are not as they were written."""
    for path in sorted((root / "git" / "objects" / "pack").glob("*")):
        if path.suffix in (".pack", ".idx") and path.with_suffix(".idx").exists() and not _sealed(path):
            yield Damage("", _shown(root, path), "its checksum does not hold")
    try:
        GitLayer(root).protected()
    except (RaiError, ValueError, KeyError, TypeError):
        yield Damage("", "settings.json", "it is not what was written")


def _sealed(path: Path) -> bool:
    """True if a file ends with the SHA-1 of the rest of it, or is gone."""
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            left = path.stat().st_size - _SHA1
            while left > 0 and (chunk := stream.read(min(left, 1 << 20))):
                digest.update(chunk)
                left -= len(chunk)
            return stream.read() == digest.digest()
    except FileNotFoundError:
        return True  # swept meanwhile


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
