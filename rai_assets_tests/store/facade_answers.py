"""What the lakeFS of the tests answers to each call, from an embedded repository behind it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from rai_assets.store import history
from rai_assets.store.errors import (
    AlreadyExists,
    InvalidRef,
    MergeConflict,
    NoChanges,
    NotFound,
    ProtectedBranch,
)
from rai_assets.store.protocol import ChangeSet, ObjectInfo
from rai_assets_tests.store.facade_request import Answer, Request, Shelf, Staged, commit_json, stats_json

STATUSES = {
    NotFound: (404, "not found"),
    AlreadyExists: (409, "branch already exists: not unique"),
    MergeConflict: (409, ""),
    NoChanges: (400, "update branch: no changes"),
    ProtectedBranch: (403, "cannot write to protected branch"),
    InvalidRef: (400, "validation error"),
}


def dirty(request: Request, branch: str) -> None:
    if request.shelf.staged.get(branch):
        raise Answer(400, "uncommitted changes (dirty branch)")


def list_branches(request: Request) -> Any:
    shown = request.repository.branches(request.query.get("prefix", "")).items()
    hidden = set() if request.query.get("show_hidden") == "True" else request.shelf.hidden
    return request.page((name, {"id": name, "commit_id": head}) for name, head in shown if name not in hidden)


def create_branch(request: Request) -> Any:
    words = request.json()
    head = request.repository.create_branch(words["name"], words["source"])
    if words.get("hidden"):
        request.shelf.hidden.add(words["name"])
    return head


def get_branch(request: Request) -> Any:
    (branch,) = request.words
    head = request.repository.branches(branch).get(branch)
    if head is None:
        raise Answer(404, "branch not found")
    return {"id": branch, "commit_id": head}


def delete_branch(request: Request) -> Any:
    (branch,) = request.words
    if branch == "main":
        raise Answer(403, "cannot delete repository default branch")
    request.shelf.staged.pop(branch, None)
    rules, request.shelf.rules = request.shelf.rules, None
    request.repository.protect([])  # lakeFS deletes protected branches without a word
    try:
        request.repository.delete_branch(branch)
    finally:
        put_rules(request.shelf, rules)
    return None


def put_rules(shelf: Shelf, rules: Any) -> None:
    shelf.rules = rules
    shelf.repository.protect([rule["pattern"] for rule in rules or []])


def set_rules(request: Request) -> Any:
    put_rules(request.shelf, request.json())


def diff_branch(request: Request) -> Any:
    staged = request.shelf.staged.get(request.words[0], {})
    return request.page((path, {"path": path, "path_type": "object", "type": "added"}) for path in sorted(staged))


def upload(request: Request) -> Any:
    (branch,), path = request.words, request.query["path"]
    get_branch(request)
    file = request.shelf.uploads / uuid.uuid4().hex
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("wb") as out:
        while chunk := request.body.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
    prefix = "x-lakefs-meta-"
    metadata = {
        key.lower().removeprefix(prefix): value
        for key, value in request.headers.items()
        if key.lower().startswith(prefix)
    }
    staged = Staged(file, request.headers["Content-Type"], metadata)
    request.shelf.staged.setdefault(branch, {})[path] = staged
    info = ObjectInfo(path, file.stat().st_size, "", staged.content_type, metadata)
    return {**stats_json(info), "checksum": digest.hexdigest()}


def set_metadata(request: Request) -> Any:
    staged = request.shelf.staged[request.words[0]][request.query["path"]]
    assert staged is not None
    staged.metadata = request.json()["set"]


def delete_objects(request: Request) -> Any:
    staged = request.shelf.staged.setdefault(request.words[0], {})
    staged.update(dict.fromkeys(request.json()["paths"]))
    return {"errors": []}


def commit(request: Request) -> Any:
    (branch,), words = request.words, request.json()
    changes = ChangeSet()
    for path, staged in request.shelf.staged.pop(branch, {}).items():
        if staged is None:
            changes.delete(path)
        else:
            changes.put(path, staged.file, staged.content_type, staged.metadata)
    made = request.repository.commit(
        branch, changes, words["message"], words.get("metadata"), allow_empty=words.get("allow_empty", False)
    )
    return commit_json(made)


def get_commit(request: Request) -> Any:
    return commit_json(request.repository.get_commit(request.words[0]))


def log(request: Request) -> Any:
    found = request.repository.log(request.words[0], first_parent=request.query.get("first_parent") == "True")
    return request.page((item.id, commit_json(item)) for item in found)


def merge(request: Request) -> Any:
    (source, destination), words = request.words, request.json()
    dirty(request, destination)
    made = request.repository.merge(
        source,
        destination,
        words.get("message", ""),
        words.get("metadata"),
        strategy=words.get("strategy"),
        squash=words.get("squash_merge", False),
        allow_empty=words.get("allow_empty", False),
    )
    return {"reference": made.commit.id}


def merge_base(request: Request) -> Any:
    repository = request.repository
    nodes = [repository._node(ref) for ref in request.words]
    base = history.merge_base(repository._git.objects, *nodes)
    # The other two the wrong way round, as lakeFS has them.
    return {"base_commit_id": base.id, "source_commit_id": nodes[1].id, "destination_commit_id": nodes[0].id}


def diff(request: Request) -> Any:
    left, right = request.words
    found = request.repository.diff(
        left, right, request.query.get("prefix", ""), two_dot=request.query.get("type") == "two_dot"
    )
    shown = (
        (item.path, {"path": item.path, "path_type": "object", "type": item.kind, "size_bytes": 1}) for item in found
    )
    return request.page(shown)


def revert(request: Request) -> Any:
    (branch,), words = request.words, request.json()
    dirty(request, branch)
    more = words.get("commit_overrides", {})
    request.repository.revert(branch, words["ref"], words["parent_number"], **more)


def list_objects(request: Request) -> Any:
    found = request.repository.list_objects(
        request.words[0],
        request.query.get("prefix", ""),
        request.query.get("delimiter") or None,  # type: ignore[arg-type]
    )
    return request.page((item.path, stats_json(item)) for item in found)


def stat_object(request: Request) -> Any:
    return stats_json(request.repository.stat(request.words[0], request.query["path"]))


def get_object(request: Request) -> Any:
    return request.repository.open(request.words[0], request.query["path"])


def list_tags(request: Request) -> Any:
    return request.page((tag, {"id": tag, "commit_id": at}) for tag, at in request.repository.tags().items())


def create_tag(request: Request) -> Any:
    words = request.json()
    return {"id": words["id"], "commit_id": request.repository.create_tag(words["id"], words["ref"])}


def delete_tag(request: Request) -> Any:
    request.repository.delete_tag(request.words[0])


def set_repository_metadata(request: Request) -> Any:
    request.shelf.metadata.update(request.json()["metadata"])


ONE = "/([^/]+)"
ROUTES: list[tuple[str, str, int, Callable[[Request], Any]]] = [
    ("GET", "", 200, lambda request: {"id": "", "creation_date": 0, "default_branch": "main", "storage_namespace": ""}),
    ("GET", "/metadata", 200, lambda request: request.shelf.metadata),
    ("POST", "/metadata", 201, set_repository_metadata),
    ("GET", "/settings/branch_protection", 200, lambda request: request.shelf.rules or []),
    ("PUT", "/settings/branch_protection", 204, set_rules),
    ("PUT", "/settings/gc_rules", 204, lambda request: None),
    ("GET", "/branches", 200, list_branches),
    ("POST", "/branches", 201, create_branch),
    ("GET", f"/branches{ONE}", 200, get_branch),
    ("DELETE", f"/branches{ONE}", 204, delete_branch),
    ("GET", f"/branches{ONE}/diff", 200, diff_branch),
    ("POST", f"/branches{ONE}/objects", 201, upload),
    ("PUT", f"/branches{ONE}/objects/stat/user_metadata", 201, set_metadata),
    ("POST", f"/branches{ONE}/objects/delete", 200, delete_objects),
    ("POST", f"/branches{ONE}/commits", 201, commit),
    ("POST", f"/branches{ONE}/revert", 204, revert),
    ("GET", "/tags", 200, list_tags),
    ("POST", "/tags", 201, create_tag),
    ("DELETE", f"/tags{ONE}", 204, delete_tag),
    ("GET", f"/commits{ONE}", 200, get_commit),
    ("GET", f"/refs{ONE}/commits", 200, log),
    ("POST", f"/refs{ONE}/merge{ONE}", 200, merge),
    ("GET", f"/refs{ONE}/merge{ONE}", 200, merge_base),
    ("GET", f"/refs{ONE}/diff{ONE}", 200, diff),
    ("GET", f"/refs{ONE}/objects/ls", 200, list_objects),
    ("GET", f"/refs{ONE}/objects/stat", 200, stat_object),
    ("GET", f"/refs{ONE}/objects", 200, get_object),
]
