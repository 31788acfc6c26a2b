"""The command that starts Dagster's pages."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Annotated

import typer

from rai_assets.errors import UsageError

commands = typer.Typer()


@commands.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the web server.", min=1, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on; Dagster's pages have no login.")] = "127.0.0.1",
) -> None:
    """Start Dagster's web server and daemon on this state."""
    from rai_assets.home import prepare, shipped

    _refuse_a_taken_port(host, port)
    folder = prepare()
    print(f"State: {folder}   Pages: http://{host}:{port}   Stop with Ctrl-C")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        str(shipped("workspace.yaml")),
        "-h",
        host,
        "-p",
        str(port),
    ]
    # A script's background jobs ignore Ctrl-C, and Dagster answers SIGTERM as it does Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, command)  # noqa: S606  the process becomes Dagster's


def _refuse_a_taken_port(host: str, port: int) -> None:
    """Dagster would start, and go on without pages."""
    import socket

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        free = f"end the program that listens there, or choose another port: rai dev --port {port % 65535 + 1}"
        raise UsageError(
            f"the pages cannot be served at http://{host}:{port}: {error.strerror}",
            fix=free if error.errno == errno.EADDRINUSE else "choose another --host or --port",
        ) from error
