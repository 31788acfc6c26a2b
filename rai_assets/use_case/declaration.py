"""Reading a declaration: strict YAML with line numbers, or a Python file, into a `UseCase`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rai_assets.charts.text import how_many
from rai_assets.errors import DeclarationError, RaiError, UsageError, near_names
from rai_assets.home import definitions_folder, demo_definition, demo_in_production, demo_inbox, home
from rai_assets.keys import repository_name
from rai_assets.metrics.requirements import Requirement
from rai_assets.monitoring.settings import TWO_PLACES
from rai_assets.use_case.config import UseCase
from rai_assets.use_case.refusal import Path_, refusal
from rai_assets.use_case.strict_yaml import read_yaml

_TOLD = 3  # declarations that cannot be loaded, in one message
COMPONENT_TYPE = "rai_assets.use_case.component.ResponsibleAIUseCase"


@dataclass(frozen=True)
class Declared:
    """A use case and where it was declared.

    Attributes:
        use_case: The validated declaration.
        path: Its file, absolute.
        line: The line of its first attribute, from 1.
    """

    use_case: UseCase
    path: Path
    line: int = 1

    @property
    def requirements(self) -> list[Requirement]:
        """What must hold, as numbers are judged by it."""
        return [item.as_requirement() for item in self.use_case.requirements]

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the declaration start from."""
        return self.path.parent


@dataclass(frozen=True)
class Broken:
    """A declaration that cannot be loaded, and why."""

    path: Path
    error: RaiError

    @property
    def name(self) -> str:
        """The folder's name, as far as it can name an asset."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.path.parent.name) or "unnamed"


def files(folder: Path | None = None) -> list[Path]:
    """The declarations in `folder` (default: where use cases are found), one `defs.yaml` or `use_case.py` a folder."""
    root = definitions_folder() if folder is None else folder
    found = [path for name in ("defs.yaml", "use_case.py") for path in root.glob(f"**/{name}")]
    return sorted(path.absolute() for path in found)


def load_all(folder: Path | None = None) -> tuple[list[Declared], list[Broken]]:
    """Every use case that can be loaded, and every one that cannot.

    A name declared twice keeps its first file; the others are broken. A demo that was run is there, too, unless its
    name is taken.
    """
    declared: dict[str, Declared] = {}
    broken: list[Broken] = []
    for path in files(folder):
        try:
            loaded = load(path)
            if loaded is None:
                continue
            first = declared.get(loaded.use_case.name)
            if first is not None:
                raise DeclarationError(
                    f"the name {loaded.use_case.name!r} is taken by {first.path}",
                    where=f"{path}:{loaded.line}",
                    fix="give one of the two another name",
                )
        except RaiError as error:
            broken.append(Broken(path, error))
        else:
            declared[loaded.use_case.name] = loaded
    if folder is None:
        for demo in _demos_that_were_run():
            declared.setdefault(demo.use_case.name, demo)
    return list(declared.values()), broken


def find(name: str) -> Declared:
    """The use case with this name.

    Raises:
        RaiError: It cannot be loaded, or another cannot that may be the one.
        UsageError: There is none.
    """
    declared, broken = load_all()
    for item in declared:
        if item.use_case.name == name:
            return item
    for refused in broken:
        if refused.name == name:
            raise refused.error
    known = [item.use_case.name for item in declared]
    said = f"there is no use case {name[:80]!r} in {definitions_folder()}"
    fix = near_names(name, known) if known else f"rai init {name} --data FILE --target COLUMN"
    if broken:
        raise _none_of(said, broken, fix if known else "")
    raise UsageError(said, fix=fix)


def _none_of(said: str, broken: Sequence[Broken], fix: str) -> DeclarationError:
    """That no use case has the name, and which cannot be loaded and may be the one, whatever their folders' names."""
    first, rest = [item.error for item in broken[:_TOLD]], len(broken) - _TOLD
    lines = [f"  {error.where}: {error.what}" if error.where else f"  {error.what}" for error in first]
    more = [f"  and {rest} more; `rai validate` has them all"] if rest > 0 else []
    fixes = [*(error.fix for error in first), *([fix] if fix else [])]
    return DeclarationError(
        "\n".join([f"{said}, but {how_many(len(broken), 'declaration')} cannot be loaded:", *lines, *more]),
        fix="; ".join(dict.fromkeys(fixes)),
    )


def _demos_that_were_run() -> Iterator[Declared]:
    """The packaged demos whose state stands among a user's own use cases."""
    for path in (demo_definition(), demo_in_production()):
        demo = load(path)
        if demo is not None and (home() / "store" / repository_name(demo.use_case.name)).is_dir():
            yield demo


def load(path: Path) -> Declared | None:
    """The use case declared in one file; None where a `defs.yaml` declares another component.

    Raises:
        DeclarationError: The file cannot be read or does not fit; the message names file, line and the fix.
    """
    path = path.absolute()
    if path.suffix == ".py":
        return _checked(Declared(_from_python(path), path), {})
    value, lines = read_yaml(path)
    if not isinstance(value, dict) or "type" not in value:
        raise DeclarationError(
            "a declaration starts with `type:`", where=f"{path}:1", fix=f"begin with\n  type: {COMPONENT_TYPE}"
        )
    if value["type"] != COMPONENT_TYPE:
        return None
    unknown = sorted(set(value) - {"type", "attributes"})
    if unknown:
        raise DeclarationError(
            f"{unknown[0]!r} is not known here",
            where=f"{path}:{lines[(unknown[0],)]}",
            fix="everything about the use case stands under `attributes:`",
        )
    attributes = value.get("attributes") or {}
    for key in ("model", "production"):
        if isinstance(attributes, dict) and key in attributes and attributes[key] is None:
            raise DeclarationError(
                f"{key}: is empty",
                where=f"{path}:{_line((key,), lines)}",
                fix=f"write its keys below it, or leave `{key}` out",
            )
    try:
        use_case = UseCase.model_validate(attributes)
    except ValidationError as error:
        raise refusal(error, lambda place: f"{path}:{_line(place, lines)}") from error
    if path == demo_in_production():
        use_case = _with_inbox(use_case, demo_inbox())
    declared = Declared(use_case, path, lines.get(("attributes", "name"), 1))
    return _checked(declared, lines)


def _checked(declared: Declared, lines: dict[Path_, int]) -> Declared:
    """The same, if its batches and its labels arrive in two folders, however these are written, and not in its own."""
    production = declared.use_case.production
    if production is not None and production.inbox.path:
        folder = Path(production.inbox.placed(declared.folder).path)
        if declared.path.resolve().is_relative_to(folder) or folder.is_file():
            what = "is a file" if folder.is_file() else "holds the declaration itself, and may hold the data set"
            raise DeclarationError(
                f"production.inbox.path: {production.inbox.path!r} {what}",
                where=f"{declared.path}:{_line(('production', 'inbox'), lines)}",
                fix="name a folder in which nothing but batches arrive",
            )
    if production is not None and production.labels is not None:
        inbox, labels = (item.placed(declared.folder) for item in (production.inbox, production.labels))
        if labels.overlaps(inbox):
            raise DeclarationError(
                f"production.labels: {TWO_PLACES}",
                where=f"{declared.path}:{_line(('production', 'labels'), lines)}",
                fix="name another folder for `labels`",
            )
    return declared


def _with_inbox(use_case: UseCase, folder: Path) -> UseCase:
    """The use case with its inbox in another place."""
    production = use_case.production
    if production is None:
        return use_case
    inbox = production.inbox.model_copy(update={"path": str(folder)})
    return use_case.model_copy(update={"production": production.model_copy(update={"inbox": inbox})})


def _line(place: Path_, lines: dict[Path_, int]) -> int:
    """The line of a place, or of the nearest one around it."""
    known: Path_ = ("attributes", *place)
    while known not in lines and known:
        known = known[:-1]
    return lines.get(known, 1)


def _from_python(path: Path) -> UseCase:
    import linecache
    import runpy

    sys.path.insert(0, str(path.parent))
    try:
        names = runpy.run_path(str(path), run_name=f"rai_use_case_{path.parent.name}")
    except ValidationError as error:
        line = _line_in(path, error)
        source = linecache.getline(str(path), line).strip()
        raise refusal(error, lambda _: f"{path}:{line}", source) from error
    except (Exception, SystemExit) as error:  # a file that exits must not end the command with its code
        place = f"{path}:{_line_in(path, error)}"
        said = f"{error.what}; {error.fix}" if isinstance(error, RaiError) else error
        raise DeclarationError(
            f"the file ends with {type(error).__name__}: {said}", where=place, fix="mend the code there"
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    use_case = names.get("use_case")
    if not isinstance(use_case, UseCase):
        raise DeclarationError(
            "the file does not define `use_case`", where=f"{path}:1", fix="end it with `use_case = UseCase(...)`"
        )
    return use_case


def _line_in(path: Path, error: BaseException) -> int:
    """The line of a file in which an error came up."""
    frame, line = error.__traceback__, 1
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(path):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
