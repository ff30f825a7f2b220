"""``claims``: assembles the commands of both packages, and turns every error into one line and an exit code.

Only the module of the command that is asked for is imported, so that a look-up does not pay for the rest.
"""

from __future__ import annotations

import os
import sys
from functools import cache

from ledger.errors import FAILED, INTERRUPTED, USAGE, LedgerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

#: Command → module. The function in it has the name of the module.
COMMANDS = {
    "demo": "projections.commands.demo",
    "init": "ledger.commands.init",
    "append": "ledger.commands.append",
    "evidence": "ledger.commands.evidence",
    "place": "ledger.commands.place",
    "source": "ledger.commands.source",
    "party": "ledger.commands.party",
    "question": "ledger.commands.question",
    "link": "ledger.commands.link",
    "observe": "ledger.commands.observe",
    "withdraw": "ledger.commands.withdraw",
    "correct": "ledger.commands.correct",
    "retract": "ledger.commands.retract",
    "void": "ledger.commands.void",
    "judge": "ledger.commands.judge",
    "rule": "ledger.commands.rule",
    "import": "ledger.commands.import_",
    "as-of": "projections.commands.as_of",
    "why": "projections.commands.why",
    "timeline": "projections.commands.timeline",
    "sources": "projections.commands.sources",
    "copying": "projections.commands.copying",
    "places": "projections.commands.places",
    "panel": "projections.commands.panel",
    "backtest": "projections.commands.backtest",
    "replay": "projections.commands.replay",
    "diff": "projections.commands.diff",
    "logic": "projections.commands.logic",
    "log": "ledger.commands.log",
    "show": "ledger.commands.show",
    "verify": "ledger.commands.verify",
    "checkpoint": "ledger.commands.checkpoint",
    "receipt": "ledger.commands.receipt",
    "redact": "ledger.commands.redact",
    "seal": "ledger.commands.seal",
    "export": "ledger.commands.export",
    "restore": "ledger.commands.restore",
    "move": "ledger.commands.move",
}

_INTERRUPTED = "interrupted; what was acknowledged is recorded"
_LONGEST = 4_000  # characters of a complaint: some name what was typed

HELP = """A ledger of contradicting reports: append what was said, ask what to believe as of a date, replay
under another logic. Exit codes: 0 ok, 1 failed, 2 usage, 3 unknown or ambiguous name, 4 rows rejected,
5 differences found, 6 does not verify, 7 locked, 130 interrupted."""


def build(names: Sequence[str], *, listed: bool = False) -> typer.Typer:
    """The application with some of the commands; ``listed`` where it will only print what there is."""
    import importlib

    import typer

    app = typer.Typer(
        name="claims",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )

    @app.callback()
    def root() -> None:
        """Keeps sub-commands even when there is only one."""

    app.info.help = HELP
    for name in names:
        module, function = COMMANDS[name], COMMANDS[name].rpartition(".")[2]
        text = _text_of(module, function) if listed else None
        command = _nothing if text else getattr(importlib.import_module(module), function)
        app.command(name, help=text or command.__doc__)(command)
    return app


@cache
def _command(*names: str, listed: bool) -> Callable[..., object]:
    """The same, ready to be called: whoever calls it again in one process need not read its options again."""
    from typer.main import get_command

    return get_command(build(names, listed=listed))


def _nothing() -> None:
    """Stands for a command that is only listed."""


def _text_of(module: str, function: str) -> str | None:
    """The docstring of a command, without running its module; None where the source is not at hand."""
    import re

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        with open(os.path.join(folder, *module.split(".")) + ".py", encoding="utf-8") as file:
            source = file.read()
    except OSError:
        return None
    pattern = rf'^def {function}\(.*?\) -> [^\n]*:\n    """((?:(?!""")[^\\])*)"""'
    found = re.search(pattern, source, re.DOTALL | re.MULTILINE)
    return found[1] if found else None


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:], quick=True) if argv is None else run(argv))


def run(argv: Sequence[str], *, quick: bool = False) -> int:
    """Run one command line; returns the exit code. Prints one line on stderr for every error.

    With ``quick`` a plain look-up is answered without loading what it does not need.
    """
    try:
        if quick and argv and argv[0] == "as-of":
            outcome = _looked_up(argv)
            if outcome is not None:
                return outcome
        return _run(argv)
    except KeyboardInterrupt:
        _complain(_INTERRUPTED)
        return INTERRUPTED


def _looked_up(argv: Sequence[str]) -> int | None:
    """The exit code of a look-up; None where it is more than one."""
    from projections import lookup

    data = lookup.answer(argv)
    if data is None:
        return None
    _plain_streams()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        return _unwritten(error)


def _unwritten(error: OSError) -> int:
    _complain(f"{error.filename or 'the output'}: {error.strerror}. What was acknowledged is recorded")
    _drop_output()
    return FAILED


def _run(argv: Sequence[str]) -> int:
    import typer  # here, where an interrupt while it is being loaded costs one line like any other

    _plain_streams()
    asked = argv[0] if argv else ""
    completing = any(name.startswith("_CLAIMS") and "COMPLETE" in name for name in os.environ)
    names = [asked] if asked in COMMANDS and not completing else list(COMMANDS)
    try:
        listed = not completing and list(argv) in ([], ["-h"], ["--help"])
        outcome = _command(*names, listed=listed)(list(argv), standalone_mode=False, prog_name="claims")
        sys.stdout.flush()
        if outcome == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return outcome if isinstance(outcome, int) else 0
    except LedgerError as error:
        _complain(str(error))
        return error.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        return _unwritten(error)
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # a mistake in the words of the call, as typer reports it
            command = f"claims {asked}" if asked in COMMANDS else "claims"
            message = _one_line(error.format_message()).replace("Value error, ", "")
            _complain(f"{message} (see `{command} --help`)")
            return USAGE
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # what Python makes of one while a class is being made
        if (found := _row_at_fault(argv)) is not None:
            _complain(str(found))
            return found.exit_code
        raise
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # what typer makes of one
            _drop_output()
            return 0
        where = _in_a_users_file(stop)
        if where is None:
            raise
        _complain(f"{where}: the program was ended from here. Take the exit() out")
        return USAGE


def _row_at_fault(argv: Sequence[str]) -> LedgerError | None:
    """What is wrong with the ledger, where a command failed in a way that nobody foresaw; None where it is not the
    ledger."""
    from itertools import pairwise

    from ledger.culprit import culprit
    from ledger.places import Server
    from ledger.settings import database

    named = [after for one, after in pairwise(argv) if one == "--db"]
    named += [one.removeprefix("--db=") for one in argv if one.startswith("--db=")]
    place = database(named[-1] if named else None)
    return culprit(place) if isinstance(place, Server) or place.is_file() else None


def _in_a_users_file(stop: SystemExit) -> str | None:
    """``FILE:LINE`` of a logic file that called ``exit()``; None where it was somebody else."""
    from traceback import walk_tb

    for frame, line in walk_tb(stop.__traceback__):
        if str(frame.f_globals.get("__name__")).startswith("_claims_logic_"):
            return f"{frame.f_code.co_filename}:{line}"
    return None


def _drop_output() -> None:
    """Nobody can take what is still to be written; Python would complain of it again at the end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        pass


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _complain(line: str) -> None:
    from ledger.places import masked
    from ledger.text import visible

    line = masked(visible(line, keep_newlines=False))
    print(f"claims: {line if len(line) <= _LONGEST else f'{line[:_LONGEST]}…'}", file=sys.stderr)


def _plain_streams() -> None:
    """UTF-8 on every platform and in every pipe; what cannot be encoded is escaped, never raised. A stream
    that the caller closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    main()
