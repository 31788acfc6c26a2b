"""A lakeFS server of the tests' own, from the `lakefs` executable on PATH, with all its state in one folder."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCESS_KEY_ID = "AKIAIOSFOLTESTSUITE0"
SECRET_ACCESS_KEY = "only-for-a-server-that-lives-as-long-as-the-tests"
START_SECONDS = 30


def executable() -> str | None:
    """The `lakefs` executable, or None where there is none."""
    return shutil.which("lakefs")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Server:
    """One process with everything in one folder; it may be killed and started again on what is there.

    Args:
        folder: For its database and objects.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "lakefs.yaml"
        # YAML reads JSON. A batch delay of zero saves 3 ms several times a call.
        self._settings.write_text(json.dumps(self._configuration(), indent=1))

    def start(self) -> Server:
        command = [str(executable()), "run", "-c", str(self._settings)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"lakeFS did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Sudden death."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _configuration(self) -> dict[str, object]:
        return {
            "listen_address": f"127.0.0.1:{self.port}",
            "database": {"type": "local", "local": {"path": str(self._folder / "database")}},
            "blockstore": {"type": "local", "local": {"path": str(self._folder / "objects")}},
            "auth": {"encrypt": {"secret_key": "tests"}},
            "installation": {
                "user_name": "tests",
                "access_key_id": ACCESS_KEY_ID,
                "secret_access_key": SECRET_ACCESS_KEY,
            },
            "committed": {"local_cache": {"dir": str(self._folder / "cache"), "size_bytes": 64 << 20}},
            "graveler": {"max_batch_delay": "0s"},
            "stats": {"enabled": False},
            "security": {"check_latest_version": False, "audit_check_url": ""},
            "email_subscription": {"enabled": False},
            "logging": {"level": "WARN"},
        }
