"""What the pages for people say is there: links lead somewhere, commands exist, declarations load, snippets run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import TypeAdapter

from rai_assets.cli import app
from rai_assets.use_case.config import UseCase
from rai_assets.use_case.declaration import load
from rai_assets.use_case.run import run
from rai_assets_tests.use_case.conftest import put_loans

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "deploy/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *GUIDES,
]
RAI: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = RAI.commands
GENERAL = {"--help", "--version"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = {"", "sh"}


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in _FENCE.findall(page.read_text()) if language in languages]


def label(page: object) -> str:
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else ""


def calls(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of every call of a program in lines of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        if program not in line.split():
            continue
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        call: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("();<>|&"):
                if call[:1] == [program]:
                    yield call[1:]
                call = []
            elif call or word not in ("if", "then", "!"):
                call.append(word)


def called(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a call means, and its own arguments."""
    command, rest = COMMANDS[words[0]], words[1:]
    while rest and hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def within(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, each with the words that call it."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from within(below, f"{name} {word}")


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_is_a_guide_for_each_reader() -> None:
    assert {page.stem for page in GUIDES} == {
        "business-owner", "data-engineer", "data-scientist", "mlops", "risk-and-audit", "test-and-evaluation",
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_pictures_are_small_and_shown_somewhere() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size < 200_000
        assert f"pictures/{picture.name})" in text


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_calls_in_code_blocks_are_understood(page: Path) -> None:
    for block in blocks(page, *_SHELL):
        for words in calls(block, "rai"):
            assert words[0] in COMMANDS, words[0]
            command, rest = called(words)
            command.make_context(words[0], rest)  # raises where a word, an option or a value is not right
        for name, *_ in calls(block, "make"):
            assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_calls_in_sentences_exist(page: Path) -> None:
    for code in re.findall(r"`(rai [^`]+)`", _FENCE.sub("", page.read_text())):
        name, *words = next(calls(" ".join(code.split()), "rai"))
        named = {option for word in words if (option := word.partition("=")[0]).startswith("--")}
        if name in ("COMMAND", "…") or name in GENERAL:
            assert named <= GENERAL, code
            continue
        assert name in COMMANDS, code
        command, _ = called([name, *words])
        assert named <= {opt for param in command.params for opt in param.opts} | GENERAL, code


def test_every_command_stands_on_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    missing = [name for name, command in within(RAI, "rai") if not hasattr(command, "commands") and name not in text]
    assert not missing


def test_the_overview_says_of_each_command_in_a_whole_sentence_what_it_does() -> None:
    for name, command in within(RAI, "rai"):
        overview = command.get_help(command.make_context(name, [], resilient_parsing=True)).partition("Commands:")[2]
        assert "..." not in overview, name


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_parts_of_declarations_load(page: Path) -> None:
    for block in blocks(page, "yaml"):
        for key, value in yaml.safe_load(block).items():
            if key in UseCase.model_fields and value != "...":
                TypeAdapter(UseCase.model_fields[key].annotation).validate_python(value, strict=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an audited use case `loans` and a run branch of refused data."""
    folder = tmp_path_factory.mktemp("work")
    place = put_loans(folder / "defs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RAI_HOME", str(folder / ".rai"))
        patch.setenv("RAI_DEFS", str(folder / "defs"))
        patch.delenv("DAGSTER_HOME", raising=False)
        declared = load(place / "defs.yaml")
        assert declared is not None
        assert run(declared).gate == "pass"
        yield folder


SNIPPETS = [(page, code) for page in GUIDES for code in blocks(page, "python")]


@pytest.mark.parametrize(("page", "code"), SNIPPETS, ids=label)
def test_snippets_run(work: Path, page: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    exec(compile(code, page.name, "exec"), {"__name__": "snippet"})


def test_snippets_print_what_the_guides_promise(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = {page.stem: "\n".join(blocks(page, "python")) for page in GUIDES}
    for guide, words in {
        "risk-and-audit": "The gate holds and there was no champion.",
        "data-scientist": "((), ('weekday',))",
        "test-and-evaluation": "R1 pass The accuracy is",
        "mlops": "['weekday', 'income']",
    }.items():
        exec(compile(code[guide], guide, "exec"), {"__name__": "snippet"})
        assert words in capsys.readouterr().out, guide
