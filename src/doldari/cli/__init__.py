"""The command line: each command parses, calls the library, and prints.

What takes long to import is imported by the command that needs it, so that `--help` answers at once.
"""

import io
import sys
import warnings
from typing import Annotated

import typer

import doldari
from doldari.cli.asking import attend, predict, score
from doldari.cli.calibrate import calibrate
from doldari.cli.console import UsageError, fail, stderr, warn
from doldari.cli.evaluation import evaluate
from doldari.cli.join import join
from doldari.cli.show import show
from doldari.cli.stats import stats
from doldari.cli.tasks import generate
from doldari.cli.training import compare, train
from doldari.errors import DoldariError

app = typer.Typer(
    help="Train sequence-to-sequence models on pairs of texts, and ask them.",
    epilog="Start with: doldari train addition",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
for command in (train, evaluate, calibrate, predict, score, attend, show, compare, join, stats, generate):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Train sequence-to-sequence models on pairs of texts, and ask them."""
    if show:
        print(doldari.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: users' mistakes end in one line on standard error and exit status 1, or 2 for usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # where the terminal lacks a character
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        sys.exit(app(standalone_mode=False))
    except UsageError as error:
        fail(usage(error), error.exit_code)
    except DoldariError as error:
        fail(str(error))
    except MemoryError as error:
        fail(f"not enough memory: {error}" if str(error) else "not enough memory")
    except (KeyboardInterrupt, typer.Abort):  # older versions of Typer make the one of the other
        stderr.print("interrupted")
        sys.exit(130)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def usage(error: "typer.BadParameter") -> str:
    """Say in one line what is wrong with a command, and where to read on; nothing if its help was just shown."""
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    return f"{message}; see: {error.ctx.command_path} --help" if message and error.ctx else message
