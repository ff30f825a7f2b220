"""``claims question``: open a question that can be asked of places."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands.fields import listed
from ledger.commands.recording import Form, recording


@recording
def question(
    form: Form,
    question: Annotated[
        str, typer.Argument(help="A short id, such as bridge.", metavar="ID", show_default=False)
    ],
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state", help="A possible answer; repeatable, ties go to the first.", show_default=False
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="The question in words.", show_default=False)
    ] = None,
) -> None:
    """Open a question with its states, two or more; without any, the parties and contested are asked for.

    The question control (who holds it?) is always open.
    """
    form.record("question-opened", {"question": question, "states": listed(state), "text": text})
