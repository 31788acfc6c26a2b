"""A first declaration from files alone: what could be seen is declared, what had to be guessed is said."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from rai_assets.data.column_guess import Wishes, guess_columns
from rai_assets.data.paths import resolve
from rai_assets.data.profiling import Profile
from rai_assets.data.readers import read_parts
from rai_assets.data.readers.batch import Layout, Part
from rai_assets.data.rules import shown
from rai_assets.data.settings import DatasetSettings, FileSettings, SplitName, SplitSettings
from rai_assets.data.sniffing import Sniffed, read_names, sniff
from rai_assets.errors import InputRefused, UsageError

__all__ = ["Wishes", "declared_path", "infer"]

Progress = Callable[[str, int, int], None]
_STEPS_UP = 3  # a file further away is named by its absolute path


def infer(
    data: Sequence[Path],
    test: Sequence[Path] = (),
    *,
    base: Path,
    wishes: Wishes,
    columns: str | None = None,
    separator: str | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[DatasetSettings, list[str]]:
    """A declaration that reads these files, and every guess in it as a sentence.

    All rows are looked at, so that what is declared holds for all of them.

    Args:
        data: Files to learn from, or of logged decisions.
        test: Files kept for the audit.
        base: The folder the declaration will be written to; near files are named relative to it.
        wishes: What the user said about the columns.
        columns: Names for files without a header: `A,B,C`, or a file with one name a line.
        separator: What separates the fields; found if None.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        InputRefused: A file cannot be read, or the files have different columns.
        UsageError: A named column or value is not in the data.
    """
    paths = [resolve(Path.cwd(), str(path)) for path in (*data, *test)]
    names = None if columns is None else read_names(columns)
    sniffed = [sniff(path, names, separator, wishes.named) for path in paths]
    layout, guesses = _one_layout(paths, sniffed)
    with ExitStack() as stack:
        profiles, labels = _profiles(paths, layout, wishes, stack, progress, named=names is not None)
        found = guess_columns(list(profiles.values()), wishes, _union(labels[: len(data)]), _union(labels[len(data) :]))
    if not test and not wishes.logged:
        guesses.append("a quarter of the rows, drawn at random, is kept for the audit")
    learned, audited = paths[: len(data)], paths[len(data) :]
    settings = DatasetSettings(
        files=[*_files(learned, "train" if audited else None, base), *_files(audited, "test", base)],
        format=layout.format,
        header=layout.header,
        separator=layout.separator if layout.format == "csv" else None,
        comment=layout.comment,
        trim=layout.trim,
        missing=found.missing,
        aliases=found.aliases,
        encoding=layout.encoding,
        split=None if test or wishes.logged else SplitSettings(by="fraction", test=0.25, seed=0),
        columns=found.columns,
    )
    return settings, [*guesses, *found.sentences]


def _one_layout(paths: Sequence[Path], sniffed: Sequence[Sniffed]) -> tuple[Layout, list[str]]:
    """The layout that fits all files: a comment sign or blanks in one of them are declared for all."""
    first = sniffed[0].layout
    for path, item in zip(paths, sniffed, strict=True):
        if _fixed(item.layout) != _fixed(first):
            raise InputRefused(
                f"the file is {_in_words(item.layout)}, while {paths[0].name} is {_in_words(first)}",
                where=path.name,
                fix="write all files alike, or name --separator and --columns",
            )
    comment = next((item.layout.comment for item in sniffed if item.layout.comment is not None), None)
    trim = any(item.layout.trim for item in sniffed)
    guesses = dict.fromkeys(sentence for item in sniffed for sentence in item.guesses)
    return replace(first, comment=comment, trim=trim), list(guesses)


def _fixed(layout: Layout) -> tuple[object, ...]:
    return layout.format, layout.header, layout.separator, layout.encoding


def _in_words(layout: Layout) -> str:
    header = "with a header" if layout.header else "without a header"
    return f"{layout.format} {header}, separator {layout.separator!r}, {layout.encoding}"


def _profiles(
    paths: Sequence[Path], layout: Layout, wishes: Wishes, stack: ExitStack, progress: Progress, *, named: bool
) -> tuple[dict[str, Profile], list[set[str]]]:
    """The evidence on every column, and for every file the values of its target."""
    profiles: dict[str, Profile] = {}
    labels = []
    for path in paths:
        target = Profile("target")

        def tell(done: int, path: Path = path) -> None:
            progress(f"looking at {path.name}", done, path.stat().st_size)

        before = 0
        for part in read_parts(path, layout, tell):
            rows = part.columns

            def place(index: int, path: Path = path, part: Part = part, before: int = before) -> str:
                line = part.line_of(index)
                return f"on line {line:,} of {path.name}" if line else f"in row {before + index + 1:,} of {path.name}"

            before += rows.num_rows
            if not profiles:
                profiles = {name: Profile(name) for name in rows.schema.names}
                for profile in profiles.values():
                    stack.callback(profile.close)
                _refuse_commas(wishes, list(profiles))
                _refuse_unknown(wishes, list(profiles), guessed=not layout.header and not named)
            _refuse_other_columns(path, rows.schema.names, paths[0], profiles)
            typed = layout.format == "parquet"
            for name, profile in profiles.items():
                profile.add(rows.column(name), trim=layout.trim, missing=wishes.missing, typed=typed, place=place)
            if wishes.target is not None:
                target.add(rows.column(wishes.target), trim=layout.trim, missing=wishes.missing)
        labels.append(set(target.values))
    if not any(profile.rows for profile in profiles.values()):
        raise InputRefused("the files have no rows", where=paths[0].name, fix="name files with rows under the header")
    return profiles, labels


def _refuse_other_columns(path: Path, names: Sequence[str], first: Path, profiles: Mapping[str, Profile]) -> None:
    different = sorted(set(names) ^ set(profiles))
    if different:
        raise InputRefused(
            f"the columns are not those of {first.name}: {', '.join(map(shown, different[:5]))}",
            where=path.name,
            fix="the rows of all files stand one after the other, in the same columns; join other files before",
        )


def _refuse_commas(wishes: Wishes, names: Sequence[str]) -> None:
    """Refuse a sensitive column with a comma in its name, written as one name or as several."""
    for name in (item for item in names if "," in item):
        if not {name, *map(str.strip, name.split(","))}.isdisjoint(set(wishes.sensitive) - (set(names) - {name})):
            raise UsageError(
                f"the column {name!r} has a comma in its name, which stands between crossed columns",
                fix="rename it in the file to compare its groups",
            )


def _refuse_unknown(wishes: Wishes, names: Sequence[str], *, guessed: bool) -> None:
    for name in wishes.named:
        if name in names:
            continue
        fix = f"there are {', '.join(get_close_matches(name, names, 3, 0.5) or names[:20])}"
        if guessed:
            fix = (
                f"the first line looks like data, so the columns are called {', '.join(names[:3])} ...; name --columns"
            )
        raise UsageError(f"the files have no column {name!r}", fix=fix)


def _files(paths: Sequence[Path], split: SplitName | None, base: Path) -> list[FileSettings]:
    return [FileSettings(path=declared_path(path, base), split=split) for path in paths]


def _union(labels: Sequence[set[str]]) -> set[str]:
    return set().union(*labels)


def declared_path(path: Path, base: Path) -> str:
    """The path as the declaration names it: relative while the two are near, else absolute."""
    relative = Path(os.path.relpath(path, base.resolve()))
    return str(path) if relative.parts.count("..") > _STEPS_UP else relative.as_posix()
