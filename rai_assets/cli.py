"""`rai`: the commands together, and how each of them ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from rai_assets import __version__
from rai_assets.cli_alerts import commands as alert_commands
from rai_assets.cli_audit import commands as audit_commands
from rai_assets.cli_batches import commands as batch_commands
from rai_assets.cli_branches import commands as branch_commands
from rai_assets.cli_data import commands as data_commands
from rai_assets.cli_dev import commands as dev_commands
from rai_assets.cli_housekeeping import commands as housekeeping_commands
from rai_assets.cli_monitoring import commands as monitoring_commands
from rai_assets.errors import RaiError, UsageError
from rai_assets.use_case.stopping import noticed_ctrl_c

app = typer.Typer(
    name="rai",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Responsible AI from one declaration: audited data, an audited model, and a gate before production.\n\n"
    "Start with `rai demo`, or with your own data: `rai init NAME --data FILE --target COLUMN`, then `rai run NAME`.",
    epilog="Exit codes: 0 all blocking requirements hold, 1 one fails or cannot be told, 2 usage, 3 input refused, "
    "4 fault, 130 stopped by Ctrl-C.",
)
app.add_typer(audit_commands)
app.add_typer(data_commands)
app.add_typer(branch_commands)
app.add_typer(housekeeping_commands)
app.add_typer(alert_commands, name="alerts")
app.add_typer(batch_commands)
app.add_typer(monitoring_commands)
app.add_typer(dev_commands)

_STOPPED = 130  # what typer makes of Ctrl-C
_WrongWords: Any = typer.BadParameter.__base__  # every error of usage; typer gives a name to this one only


def main() -> None:
    """Run the command line; every refusal is a sentence and an exit code, never a trace."""
    try:
        interrupted = noticed_ctrl_c()
        code = app(standalone_mode=False) or 0
        if code == _STOPPED:
            raise KeyboardInterrupt
        sys.exit(code)
    except KeyboardInterrupt:
        _end_stopped()
    except RaiError as error:
        print(f"rai: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except _WrongWords as error:
        command = error.ctx.command_path if error.ctx else "rai"
        said = error.format_message().replace("Value error, ", "")  # a word of the library that reads the values
        said = said.replace("%Y-%m-%d", "YYYY-MM-DD").replace("%H:%M:%S", "HH:MM:SS")
        print(f"rai: {said}\n  Fix: `{command} --help` shows how it is called", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if interrupted.is_set():  # a library made another error of it
            _end_stopped()
        # A gate in a pipeline reads 1 as a verdict, so nothing unforeseen may end with it.
        if os.environ.get("RAI_DEBUG"):
            raise
        said = " ".join(str(error).split())[:500]
        print(
            f"rai: {type(error).__name__}: {said}\n  Fix: RAI_DEBUG=1 shows where; `rai doctor` looks for the cause",
            file=sys.stderr,
        )
        sys.exit(RaiError.exit_code)


def _end_stopped() -> NoReturn:
    print("\nrai: stopped; what was finished is kept, and running it again goes on from there", file=sys.stderr)
    sys.exit(_STOPPED)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(f"rai_assets {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())
    else:
        return
    raise typer.Exit(0)
