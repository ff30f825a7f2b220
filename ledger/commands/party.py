"""``claims party``: name a side to the contest."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands.recording import Form, recording


@recording
def party(
    form: Form,
    party: Annotated[str, typer.Argument(help="A short id, such as RU.", metavar="ID", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option("--name", help="Its name.", show_default=False)] = None,
) -> None:
    """Name a party. Its id becomes a state of every question that asks for the parties, control among them.

    A name given wrongly is mended by `claims correct party:ID --set name=…`.
    """
    form.record("party-named", {"party": party, "name": name})
