"""The command line: each command parses, calls the library, and prints.

What takes long to import is imported by the command that needs it, so that `--help` answers at once.
"""

import functools
import inspect
import io
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

import doldari
from doldari.cli.calibrate import calibrate
from doldari.cli.compare import compare
from doldari.cli.console import UsageError, fail, quieten, stderr, warn
from doldari.cli.evaluation import evaluate
from doldari.cli.export import export
from doldari.cli.help import Command, Group, show_all
from doldari.cli.join import join
from doldari.cli.predict import attend, predict, score
from doldari.cli.push import push
from doldari.cli.report import report
from doldari.cli.serve import serve
from doldari.cli.settings import as_option
from doldari.cli.show import show
from doldari.cli.stats import stats
from doldari.cli.tasks import generate
from doldari.cli.training import train
from doldari.errors import ConfigError, DoldariError

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
HelpAllOption = Annotated[
    bool, typer.Option("--help-all", is_eager=True, callback=show_all, help="Show all options and exit.")
]


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all commands have."""

    @functools.wraps(command)
    def run(*, quiet: bool, help_all: bool, **arguments: Any) -> None:
        quieten(quiet)
        command(**arguments)

    signature = inspect.signature(command)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("quiet", QuietOption), ("help_all", HelpAllOption))
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *common])  # type: ignore[attr-defined]
    return run


app = typer.Typer(
    cls=Group,
    help="Train sequence-to-sequence models on text pairs, and run inference.",
    epilog="Start with: doldari train addition",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(train, evaluate, calibrate, predict, score, attend),
    *(show, report, serve, compare, join, export, push, stats, generate),
):
    app.command(cls=Command)(with_common(command))


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False,
) -> None:
    """Train sequence-to-sequence models on text pairs, and run inference."""
    if show:
        print(doldari.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; user errors give one line on standard error and exit status 1, or 2 for usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # if the terminal lacks a character
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        sys.exit(app(standalone_mode=False, prog_name="doldari"))
    except UsageError as error:
        from doldari.cli.usage import usage

        fail(usage(error), error.exit_code)
    except ConfigError as error:
        fail(error.written(as_option))
    except DoldariError as error:
        fail(str(error))
    except MemoryError as error:
        fail(f"not enough memory: {error}" if str(error) else "not enough memory")
    except (KeyboardInterrupt, typer.Abort):  # older versions of Typer convert one to the other
        stderr.print("interrupted")
        sys.exit(130)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
