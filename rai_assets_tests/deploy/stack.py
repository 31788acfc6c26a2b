"""What compose.yaml declares, started as processes of this machine: commands, environment and files as they stand.

Only places are exchanged: a service's name for 127.0.0.1, a port for a free one, a path in a container for one below a
folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from rai_assets_tests.acceptance.conftest import wait_until_alone
from rai_assets_tests.store.lakefs_server import free_port

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")
_PASSED = ("PATH", "HOME", "PYTHONPATH", "OMP_NUM_THREADS")  # where programs are, not what they are told
_SECONDS = 120


def made_environment(folder: Path) -> dict[str, str]:
    """What the command in `.env.example` writes to `.env`."""
    shutil.copy(COMPOSE / ".env.example", folder)
    text = (folder / ".env.example").read_text()
    (command,) = re.findall(r"^#\s+(\(umask .*\))$", text, re.MULTILINE)
    subprocess.run(["sh", "-euc", command], cwd=folder, check=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """A compose file with the values of its variables.

    Raises:
        KeyError: A variable that has to be set is not.
    """

    def value(match: re.Match[str]) -> str:
        dollar, name, kind, word = match.groups()
        if dollar:
            return "$"
        given = environment.get(name, "")
        if not given and kind == ":?":
            raise KeyError(name)
        return given or (word if kind == ":-" else "")

    return _VARIABLE.sub(value, text)


def postgres_program(name: str) -> str | None:
    """A program of PostgreSQL's server; Debian keeps them off PATH."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(kept[-1]) if kept else None)


@dataclass
class Stack:
    """The services of compose.yaml on this machine.

    Attributes:
        folder: Holds everything that they write.
        environment: What `.env` says.
        objects_in_folder: Leave out the object store; lakeFS keeps its objects in a folder.
    """

    folder: Path
    environment: Mapping[str, str]
    objects_in_folder: bool = False
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The file's services, with its variables' values."""
        document = yaml.safe_load(interpolated((COMPOSE / "compose.yaml").read_text(), self.environment))
        return dict(document["services"])

    @cached_property
    def services(self) -> dict[str, Any]:
        """The same, with the places of this machine."""
        services = {name: _each(service, self._here) for name, service in self.declared.items()}
        if self.objects_in_folder:
            del services["s3"], services["lakefs"]["depends_on"]["s3"]
            services["lakefs"]["environment"] |= {
                "LAKEFS_BLOCKSTORE_TYPE": "local",
                "LAKEFS_BLOCKSTORE_LOCAL_PATH": str(self.path("/data")),
                "LAKEFS_BLOCKSTORE_DEFAULT_NAMESPACE_PREFIX": "local://",
            }
        return services

    @cached_property
    def ports(self) -> dict[str, int]:
        """The ports that services listen on, by what they are in the file."""
        inside = re.findall(r"(?:127\.0\.0\.1:|-p\W+)(\d{4})\b(?!:)", (COMPOSE / "compose.yaml").read_text())
        return {port: free_port() for port in sorted({*inside, "5432"})}

    def start(self) -> None:
        """Each service when those that it depends on are healthy."""
        for name in self._in_order():
            service = self.services[name]
            for needed, when in service.get("depends_on", {}).items():
                assert when == {"condition": "service_healthy"}, f"{name} on {needed}"
                assert self.healthy(needed), f"{name} starts before {needed} is healthy"
            self._mount(service)
            self._prepare_postgres(name)
            with (self.folder / f"{name}.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    self._command(name), env=self.surroundings(name), cwd=self._work, stdout=log, stderr=log,
                    start_new_session=True, user=self._user(name), preexec_fn=_as_in_a_container,
                )  # fmt: skip
            self._wait(name)

    def stop(self) -> None:
        """In the reverse order, each with SIGTERM to its first process.

        Raises:
            AssertionError: Some did not end; they were killed.
        """
        stuck = []
        while self._running:
            name, process = self._running.popitem()
            process.terminate()
            try:
                process.wait(60)
                wait_until_alone(process.pid)
            except (subprocess.TimeoutExpired, AssertionError):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                stuck.append(name)
        assert not stuck, f"did not end: {stuck}\n{self.logs()}"

    def healthy(self, name: str) -> bool:
        """What the service's own health check says."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return not subprocess.run(command, env=self.surroundings(name), capture_output=True, timeout=60).returncode

    def surroundings(self, name: str) -> dict[str, str]:
        """The environment of a service's processes."""
        kept = {key: os.environ[key] for key in _PASSED if key in os.environ}
        kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return {**kept, **self.services[name]["environment"]}

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def path(self, inside: str) -> Path:
        """Where a path in a container is."""
        return Path(self._here(inside))

    def _in_order(self) -> Iterator[str]:
        done: list[str] = []
        while len(done) < len(self.services):
            ready = [
                name
                for name, service in self.services.items()
                if name not in done and set(service.get("depends_on", {})) <= set(done)
            ]
            assert ready, "services wait for each other"
            yield from ready
            done += ready

    def _here(self, text: str) -> str:
        """Text of the file with this machine's addresses and paths."""
        for port, free in self.ports.items():
            text = re.sub(rf"\b(?:{'|'.join(self.declared)}):{port}\b", f"127.0.0.1:{free}", text)
            text = re.sub(rf"(?<![\w.]){port}(?![\w.])", str(free), text)
        text = re.sub(rf"(?<=host: )(?:{'|'.join(self.declared)})\b|\b0\.0\.0\.0\b", "127.0.0.1", text)
        places = {place for service in self.declared.values() for place in _places(service)}
        inside = "|".join(re.escape(place) for place in sorted(places - {"/tmp"}, key=len, reverse=True))
        return re.sub(rf"(?<![\w./}}-])(?=(?:{inside})(?:[/\s:]|$))", str(self.folder), text)

    @cached_property
    def _work(self) -> Path:
        """Where processes start: a folder without `.env`, which Dagster would read."""
        folder = self.folder / "work"
        folder.mkdir(exist_ok=True)
        return folder

    def _mount(self, service: dict[str, Any]) -> None:
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            place = Path(target)
            if not source.startswith((".", "/")):
                place.mkdir(parents=True, exist_ok=True)
            elif (COMPOSE / source).is_dir():
                shutil.copytree(COMPOSE / source, place, dirs_exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(self._here((COMPOSE / source).read_text()))
        for target in service.get("tmpfs", []):
            Path(target).mkdir(parents=True, exist_ok=True)

    def _command(self, name: str) -> list[str]:
        if name == "postgres":
            port = str(self.ports["5432"])
            return [str(postgres_program("postgres")), "-D", str(self._records), "-p", port, "-k", str(self._records)]
        service = self.services[name]
        return [*service.get("entrypoint", []), *service["command"]]

    def _user(self, name: str) -> str | None:
        """PostgreSQL's server refuses to run as root."""
        return "postgres" if name == "postgres" and os.geteuid() == 0 else None

    @property
    def _records(self) -> Path:
        return self.path("/var/lib/postgresql/data") / "cluster"

    def _prepare_postgres(self, name: str) -> None:
        """What the entry of PostgreSQL's image does with an empty volume."""
        if name != "postgres" or self._records.exists():
            return
        environment = self.surroundings(name)
        place = self._records.parent
        password = place / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        if user := self._user(name):
            for path in (place, password):
                shutil.chown(path, user)

        def run(program: str, *words: str) -> None:
            command = [str(postgres_program(program)), *words]
            done = subprocess.run(command, env=environment, cwd=place, user=user, capture_output=True, text=True)
            assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

        data = ("-D", str(self._records))
        run("initdb", *data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256",
            f"--pwfile={password}", *shlex.split(environment["POSTGRES_INITDB_ARGS"]))  # fmt: skip
        password.unlink()
        run("pg_ctl", *data, "-w", "-l", str(place / "start.log"), "-o", f"-h '' -k {place}", "start")
        (script,) = (target for target in _places(self.services[name]) if target.endswith(".sql"))
        run("psql", "-v", "ON_ERROR_STOP=1", "-h", str(place), "-U", "postgres", "-f", script)
        run("pg_ctl", *data, "-w", "stop")

    def _wait(self, name: str) -> None:
        until = time.monotonic() + _SECONDS
        while True:
            dead = self._running[name].poll() is not None
            assert not dead and time.monotonic() < until, f"{name} is not healthy\n{self.logs()}"
            if self.healthy(name):
                return
            time.sleep(0.3)


def _as_in_a_container() -> None:
    """Jobs of a script ignore SIGINT, and Dagster answers SIGTERM as it answers SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _places(service: Mapping[str, Any]) -> list[str]:
    """The paths in a container that are not its image's."""
    return [volume.split(":")[1] for volume in service.get("volumes", [])] + list(service.get("tmpfs", []))


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
