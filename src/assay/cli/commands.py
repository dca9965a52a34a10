"""What all commands share: how they fail, and the options that many of them have."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from assay.cli.familiar import CALLED_HERE, COMMANDS, OPTIONS
from assay.cli.printing import inert, paragraph, refusal, width
from assay.core.errors import AssayError, SpecError, StoreError

F = TypeVar("F", bound=Callable[..., Any])

FOUND_WRONG = 1
WRONG_USE = 2
STORAGE = 3
BUG = 70
STOPPED = 130
DEFAULT_STORAGE = "assay.db"
_EXTRAS = {
    "sklearn": "sklearn", "pandas": "sklearn", "optuna": "optuna", "yaml": "yaml",
    "mlflow": "mlflow", "tensorboard": "tensorboard", "wandb": "wandb",
}  # fmt: skip
_ALWAYS: dict[str, Any] = {"hidden": True, "expose_value": False, "help": "It prints nothing else."}
_ISSUES = "Please report it with the text above."


def _with_marks(text: str | None) -> str | None:
    r"""A help text in which \b, before lines that click must not join, is the character it stands for."""
    return text.replace(r"\b", "\b") if text else text


class Command(click.Command):
    """A command with --debug, as all have; what prints JSON takes --json and --format json alike."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _with_marks(self.help)
        self._alias: tuple[str, Any] = ("", None)
        self._also_json()
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_set_debug,
                help="Show where in the code an error arose.",
            )
        )

    def _also_json(self) -> None:
        """The other way to ask for JSON, where there is one."""
        form = next((p for p in self.params if p.name == "form"), None)
        flag = any(p.name == "as_json" for p in self.params)
        forms = form.type.choices if form and isinstance(form.type, click.Choice) else ()
        if forms and "json" in forms and not flag:
            self._alias = ("form", "json")
            self.params.append(
                click.Option(["--json", "also"], is_flag=True, help="The same as --format json.")
            )
        elif flag and not form:
            self._alias = ("as_json", True)
            self.params.append(
                click.Option(
                    ["--format", "also"],
                    type=click.Choice(["text", "json"]),
                    help="json is the same as --json.",
                    hidden=True,
                )
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The same, with the name that an option has here for one of another tuner's."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            here = CALLED_HERE.get(error.option_name, "")
            if any(here in param.opts for param in self.params):
                said = f"No such option {error.option_name!r}. Did you mean {here!r}?"
                raise click.NoSuchOption(error.option_name, said, ctx=ctx) from None
            if instead := OPTIONS.get(error.option_name):
                said = f"No such option {error.option_name!r}. Here: {instead}."
                raise click.UsageError(said, ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params.pop("also", None) in (True, "json"):
            name, value = self._alias
            given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
            if given and ctx.params[name] != value:
                raise click.UsageError(f"Either --json or --format {ctx.params[name]}, not both.")
            ctx.params[name] = value
        return super().invoke(ctx)


class JsonCommand(Command):
    """A command that says nothing but JSON: asking for it changes nothing."""

    def _also_json(self) -> None:
        self.params += [
            click.Option(["--json"], is_flag=True, **_ALWAYS),
            click.Option(["--format"], type=click.Choice(["json"]), **_ALWAYS),
        ]


class Commands(click.Group):
    """A group in the order in which its commands are added, which turns errors into exit codes.

    0: done, whatever the verdict; 1: `verify` found something wrong; 2: a wrong option, plan or data,
    or not possible now; 3: the storage cannot be used; 70: a bug; 130: stopped by Ctrl-C.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _with_marks(self.help)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and (here := COMMANDS.get(args[0])):
            raise click.UsageError(f"No such command {args[0]!r}. Here: {here}.", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _warnings_as_sentences():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(STOPPED)
        except AssayError as error:
            kind = _NoStorage if isinstance(error, StoreError) else _Refused
            raise kind(error, debug=ctx.meta.get("assay.debug", False)) from error
        except Exception as error:
            if missing := _missing(error):
                debug = ctx.meta.get("assay.debug", False)
                raise _Refused(SpecError(missing), debug=debug) from error
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # whoever reads our output has seen enough
            click.echo(inert(traceback.format_exc()), err=True)
            click.echo(f"This is a bug in Assay. {_ISSUES}", err=True)
            ctx.exit(BUG)


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Warnings of ours without the place in our code; those of others as they are."""
    python, ours = warnings.formatwarning, str(Path(__file__).parents[1])

    def said(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if category is UserWarning and filename.startswith(ours):
            return f"Warning: {inert(str(message))}\n"
        return python(message, category, filename, lineno, line)

    warnings.formatwarning = said
    try:
        yield
    finally:
        warnings.formatwarning = python


def _missing(error: Exception) -> str:
    """What to install, if a package of an extra is what is missing."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    package = (name or "").partition(".")[0]
    if package not in _EXTRAS:
        return ""
    return f"This needs {package}, which is not installed: pip install 'assay[{_EXTRAS[package]}]'."


class _Refused(click.ClickException):
    """An error that says by itself what is wrong and what to do."""

    exit_code = WRONG_USE

    def __init__(self, error: AssayError, *, debug: bool) -> None:
        super().__init__(refusal(error))
        self._trace = "".join(traceback.format_exception(error)) if debug else ""

    def show(self, file: Any = None) -> None:
        if self._trace:
            click.echo(inert(self._trace), err=True)
        text = self.message
        if sys.stderr.isatty():
            text = "\n".join(paragraph(line, width()) for line in text.splitlines())
        click.echo(inert(text), err=True)


class _NoStorage(_Refused):
    exit_code = STORAGE


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["assay.debug"] = True


class FileName(click.ParamType[str]):
    """A text that shells complete as the name of a file; what is wrong with it is said where it is used."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


FILE = FileName()


def studies_there(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The studies of the storage that was named, or of the usual one, for completion."""
    from assay.api.stored import existing

    try:
        store = existing(ctx.params.get("storage") or default_storage(), readonly=True)
        fitting = (name for name in store.studies() if name.startswith(incomplete))
        names = [name for name in fitting if name.isprintable()]  # a line each, and inert
        store.close()
    except AssayError:
        return []
    return names


def study_argument(function: F) -> F:
    """STUDY, which may be left out where the storage holds one."""
    return click.argument(
        "study", required=False, callback=no_storage, shell_complete=studies_there
    )(function)


def no_storage(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Whoever names a storage where a study is asked for is told how."""
    if value and value.endswith((".db", ".sqlite")) and Path(value).is_file():
        raise click.BadParameter(f"{value} is a storage, not a study. Write --storage {value}.")
    return value


def text_or_json(function: F) -> F:
    """--format, and with it --json."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
    )(function)


def storage_option(function: F) -> F:
    """--storage, which defaults to $ASSAY_STORAGE or assay.db."""
    return click.option(
        "--storage",
        metavar="FILE|URL",
        type=FILE,
        default=default_storage,
        help="Where studies are kept.  [default: $ASSAY_STORAGE or assay.db]",
    )(function)


def options(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one decorator, shown in this order."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def default_storage() -> str:
    """The storage when none is named."""
    return os.environ.get("ASSAY_STORAGE") or DEFAULT_STORAGE


def command_line(verb: str, study: str, storage: str, *more: str) -> str:
    """A command to type, quoted for the shell, such as `assay resume churn --storage lab.db`."""
    import shlex

    words = ["assay", verb, *_words(study, storage), *more]
    return shlex.join(words)


def commands_of(study: str, storage: str) -> Callable[[str], str]:
    """What to type for a verb about this study, as text for the terminal."""
    return lambda verb: inert(command_line(verb, study, storage))


def _words(study: str, storage: str) -> Iterator[str]:
    if storage != default_storage():
        from assay.stores.postgres.address import without_password

        yield from ("--storage", without_password(storage))
    if study.startswith("-"):
        yield "--"
    yield study
