"""deploy/compose as a file: what composes it accepts it, and it keeps its promises about secrets, ports and rights."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_assets_tests.deploy.stack import COMPOSE, Stack, interpolated, made_environment

ROOT = COMPOSE.parents[1]
TEXT = (COMPOSE / "compose.yaml").read_text()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path, made_environment(tmp_path))


def composer() -> list[str]:
    """The program that reads compose files."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ["docker", "compose"]
    pytest.skip("docker-compose is not on PATH (Debian: apt-get install docker-compose)")


def composed(secrets: Path) -> subprocess.CompletedProcess[str]:
    command = [*composer(), "-f", str(COMPOSE / "compose.yaml"), "--env-file", str(secrets), "config"]
    return subprocess.run(command, cwd=secrets.parent, capture_output=True, text=True, timeout=60)


def test_docker_compose_accepts_the_file_and_reads_what_the_tests_start(stack: Stack) -> None:
    done = composed(stack.folder / ".env")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == set(stack.declared)
    for name, service in services.items():
        mine = stack.declared[name]
        for key in ("image", "environment", "entrypoint"):
            assert service.get(key) == mine.get(key), name
        # It writes `$` as `$$`.
        assert json.loads(json.dumps(service.get("command")).replace("$$", "$")) == mine.get("command")
        waits = {needed: when["condition"] for needed, when in service.get("depends_on", {}).items()}
        assert waits == dict.fromkeys(mine.get("depends_on", {}), "service_healthy")


def test_without_secrets_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    done = composed(tmp_path / ".env")
    assert done.returncode != 0 and "make a .env as .env.example says" in done.stderr


def test_the_command_in_the_example_makes_every_secret_anew(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, second = (made_environment(folder) for folder in folders)
    assert {made.pop("COMPOSE_PROJECT_NAME") for made in (first, second)} == {"rai"}
    assert stat.S_IMODE((folders[0] / ".env").stat().st_mode) == 0o600
    values = [*first.values(), *second.values()]
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values)
    assert len(set(values)) == len(values)
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) == set(first)
    for name in first:
        with pytest.raises(KeyError, match=name):
            interpolated(TEXT, {**first, name: ""})
    assert "RAI_DEFS" in set(re.findall(r"\$\{(\w+)", TEXT)) - set(first)


def test_no_secret_has_a_value_in_the_files(stack: Stack) -> None:
    made = [value for value in stack.environment.values() if len(value) == 48]
    for name, service in stack.declared.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|ACCESS_KEY|CONNECTION|POSTGRES_URL", variable):
                assert any(secret in value for secret in made), f"{name}: {variable}"


def test_only_the_pages_are_reached_and_from_this_host_only(stack: Stack) -> None:
    published = {name: service["ports"] for name, service in stack.declared.items() if "ports" in service}
    assert published == {"lakefs": ["127.0.0.1:8000:8000"], "web": ["127.0.0.1:3000:3000"]}


def test_services_have_no_rights_that_they_do_not_need(stack: Stack) -> None:
    for name, service in stack.declared.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "healthcheck" in service, name
        assert re.search(r":v?\d+\.\d+", service["image"]) or "build" in service, f"{name}: a version"
    secrets = {"RAI_LAKEFS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"}
    holders = {name for name, service in stack.declared.items() if secrets & set(service["environment"])}
    assert holders == {"lakefs", "code"}, "the pages and the daemon do not need the store"
    assert re.findall(r"^(?:ARG BASE=|USER )(.*)$", dockerfile(), re.MULTILINE) == [
        "python:3.11.14-slim-bookworm",
        "10001",
    ]
    assert dockerfile().count("--require-hashes") == 2


def test_dagster_is_set_as_everywhere_but_for_its_records() -> None:
    mine: dict[str, Any] = yaml.safe_load((COMPOSE / "dagster.yaml").read_text())
    assert mine.pop("storage") == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert mine == yaml.safe_load((ROOT / "dagster.yaml").read_text())


def test_the_image_is_made_of_pinned_packages() -> None:
    for wanted in ("dagster-postgres", "psycopg2-binary", "dagster-webserver", "lakefs-client"):
        assert re.search(rf"^{wanted}==", (ROOT / "requirements" / "deploy.txt").read_text(), re.MULTILINE)
    developed = set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    for name in ("deploy.txt", "build.txt"):
        pinned = set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        assert pinned <= developed, "the image has what the tests ran with"


def test_what_the_image_is_built_from_is_a_whole_package(tmp_path: Path) -> None:
    """The wheel of the files that Dockerfile.dockerignore lets through."""
    rules = (COMPOSE / "Dockerfile.dockerignore").read_text().split()
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    left_out = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    for name in let_in:
        place = tmp_path / "source" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns(*left_out))
        else:
            shutil.copy(ROOT / name, place)
    for copied in re.findall(r"^COPY (?!--)(\S+) ", dockerfile(), re.MULTILINE):
        assert (tmp_path / "source" / copied).exists()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path / "source", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = zipfile.ZipFile(wheel).namelist()
    assert {"rai_assets/dagster.yaml", "rai_assets/workspace.yaml", "rai_assets/defs/lending/defs.yaml"} <= set(packed)
    assert not [
        name for name in packed if any(fnmatch.fnmatch(part, rule) for part in name.split("/") for rule in left_out)
    ]


def dockerfile() -> str:
    return (COMPOSE / "Dockerfile").read_text()
