"""Help that fits 80 columns: what to type on the left, what it does on the right, in groups.

Typer's own help draws boxes, which leave too little room.  An option that is marked as hidden is shown by --help-all.
"""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from doldari.cli.settings import FORMER

WIDEST = 30  # columns on the left, which longer ones have to themselves
GROUPS = ("Arguments", "Data", "Model", "Training", "Regularisation", "Output", "Options")


class Command(TyperCommand):
    """A command with such help; its arguments have metavars, and so have options that take a value."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without Typer's boxes."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write the arguments as their metavars are."""
        return [one.metavar or one.name.upper() for one in arguments_of(self)] + ["[OPTIONS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, a section for each group."""
        hidden = [one for one in self.get_params(ctx) if getattr(one, "hidden", False)]
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for one in self.get_params(ctx):
            if (one not in hidden or "all" in ctx.meta) and (hidden or one.name != "help_all"):
                group = getattr(one, "rich_help_panel", None) or "Options"
                groups["Arguments" if one.param_type_name == "argument" else group].append((left(one), right(one)))
        for name, rows in groups.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows, col_max=WIDEST)

    def invoke(self, ctx: Any) -> Any:
        """Check the model argument, and run the command with the columns of the model's training."""
        from doldari.cli.columns import columns_of_model
        from doldari.cli.usage import check_model

        check_model(ctx.params)
        with columns_of_model(ctx.params):
            return super().invoke(ctx)


class Group(TyperGroup):
    """The command line itself: its help has a line for each command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without Typer's boxes."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([(left(one), right(one)) for one in self.get_params(ctx)], col_max=WIDEST)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or name the one that was meant."""
        from doldari.cli.usage import no_such_command

        if args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(no_such_command(args[0], list(self.commands)))
        return super().resolve_command(ctx, args)


def arguments_of(command: Any) -> list[Any]:
    """List the arguments of a command, without its options."""
    return [one for one in command.params if one.param_type_name == "argument"]


def left(one: Any) -> str:
    """Write the names of an option and what it takes, or an argument."""
    if one.param_type_name == "argument":
        return str(one.metavar or one.name.upper()).strip("[].")
    names = ", ".join(sorted((name for name in one.opts if name not in FORMER), key=len))
    if one.is_flag:
        return "/".join([names, *one.secondary_opts])
    return f"{names} {one.metavar or one.name.upper()}"


def right(one: Any) -> str:
    """Write what an option does, and its default."""
    help, default = one.help or "", getattr(one, "show_default", False)
    if default is True:
        default = "" if one.default is None or one.default is False else str(one.default)
    return f"{help} (default: {default})" if default else help


def show_all(ctx: typer.Context, wanted: bool) -> None:
    """Show the help with all options, and exit."""
    if wanted:
        ctx.meta["all"] = True
        print(ctx.get_help())
        raise typer.Exit
