"""``claims redact``: erase the text of an entry, and keep the proof."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ledger import redaction
from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.plain import cell
from ledger.errors import Usage
from ledger.redaction import Preview


def redact(
    entry: opt.EntryArgument,
    by: Annotated[
        str | None, typer.Option("--by", metavar="SOURCE", help="Who decided.", show_default=False)
    ] = None,
    ground: Annotated[
        str | None,
        typer.Option("--ground", help="Why, in a line that is kept for ever.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and stop.")] = False,
    db: common.DbOption = None,
    actor: common.ActorOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Erase the text of an entry for good: quote, note, title, address, names, the words as written.

    Its envelope (who claims what of which place, and when) stays, and the ledger still verifies. What depends on the
    entry is shown first. Copies, exports and backups made before keep the text, unless bodies are encrypted. Done
    again, it makes sure that nothing is left in the file.
    """
    chosen = common.chosen_format(format, json)
    with common.open_ledger(db, readonly=dry_run) as ledger:
        plan = redaction.preview(ledger, f"#{entry}" if entry.isascii() and entry.isdecimal() else entry)
        source = ledger.directory().resolve_source(by) if by else None
        if dry_run:
            _show(plan, chosen, done=False, told=True)
            return
        asks = not (yes or plan.nothing_left)
        if asks:
            _show(plan, chosen, done=False, told=True)
            _ask()
        receipts = redaction.redact(ledger, plan, by=source, ground=ground, actor=common.actor(actor))
        redaction.check_gone(ledger, plan)
    _show(plan, chosen, done=True, told=not asks)
    for receipt in receipts:
        common.say(f"{receipt.words}: erased, and the file rewritten")
    if not receipts:
        common.say("it was redacted before; the file is rewritten, nothing of it is left there")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise Usage("nothing was erased", remedy="look at what it would do, then say --yes")
    if not typer.confirm("Erase this for good?", err=True):
        raise typer.Abort()


def _answer(plan: Preview, done: bool) -> dict[str, Any]:
    """What is erased is named, not repeated, once it is gone."""
    return {
        "schema": "redact/1",
        "entry": plan.entry,
        "done": done,
        "erased": [
            {
                "entry": one.entry,
                "position": one.position,
                "event": one.name,
                "was_gone": one.gone,
                "fields": sorted(one.body) if done else one.body,
            }
            for one in plan.erased
        ],
        "kept": plan.kept,
        "dependents": [
            {"entry": one.entry, "position": one.position, "event": one.name, "how": one.how}
            for one in plan.dependents
        ],
        "named": plan.named,
        "resealed": plan.resealed,
    }


def _show(plan: Preview, chosen: common.Format, *, done: bool, told: bool) -> None:
    answer = _answer(plan, done)
    if chosen is not common.Format.table:
        if done or told:
            common.emit(answer, answer["erased"], ("entry", "position", "event", "fields"), chosen)
        return
    if not told:
        return
    for line in _lines(plan, done):
        print(cell(line))


def _lines(plan: Preview, done: bool) -> list[str]:
    lines = []
    for one in plan.erased:
        if one.gone:
            lines.append(f"#{one.position} {one.entry} {one.name}: was erased before")
            continue
        lines.append(f"#{one.position} {one.entry} {one.name}: {'erased' if done else 'would be erased'}")
        lines += [f"  {name}" if done else f"  {name}: {cell(value)}" for name, value in one.body.items()]
    lines.append("kept: " + ", ".join(f"{name}={cell(value)}" for name, value in plan.kept.items()))
    lines += [
        f"leans on it: #{leaning.position} {leaning.entry} {leaning.name} ({leaning.how})"
        for leaning in plan.dependents
    ]
    if plan.named:
        lines.append(f"{plan.named:,} entries name it: they will show its id, without a name")
    if plan.resealed is not None:
        lines.append(
            f"{plan.resealed:,} other texts get a new key, and the old one is thrown away with every copy"
        )
    return lines
