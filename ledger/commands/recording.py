"""What every recording command does around its own few lines: open, fill in a form, append, say so.

``recording`` turns a function that fills in a ``Form`` into a command. Parameters whose type is a dataclass
of options (``Report``, ``Ruling``) become one option a field, and the options of ``Call`` are added, so that
none of them is written twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from functools import update_wrapper
from typing import Any, cast, get_type_hints

from ledger.book import Draft, Ledger, Receipt
from ledger.clocks import utc_text
from ledger.commands import common, fields
from ledger.commands.options import Call, Report, Ruling
from ledger.errors import Usage


class Form:
    """One call of a recording command: what was typed, on its way into the ledger."""

    def __init__(self, ledger: Ledger, call: Call) -> None:
        self.ledger = ledger
        self.directory = ledger.directory()
        self.written: dict[str, str] = {}
        self._call = call
        self._format = common.chosen_format(call.format, call.json)

    # -- reading what was typed --------------------------------------------------------------------

    def place(self, text: str, field: str = "place") -> str:
        """The id of a place in any registered spelling."""
        return fields.place_id(self.directory, text, self.written, field)

    def source(self, text: str) -> str:
        """The id of a source in any registered spelling."""
        fields.point_out(text)
        return self.directory.resolve_source(text)

    def party(self, text: str | None) -> str | None:
        """The id of a party given by id or name, in any case; left as it is where none fits."""
        named = {name.casefold(): party for party, name in self.directory.parties.items()}
        named |= {party.casefold(): party for party in self.directory.parties}
        return named.get(text.casefold(), text) if text is not None else None

    def state(self, question: str, text: str | None) -> dict[str, Any]:
        """``state`` and ``negated`` as typed in one word; nothing for None."""
        return fields.state_fields(self.directory, question, text, self.written)

    def entry(self, text: str | None) -> str | None:
        """The whole id of an entry given by its beginning or position."""
        return self.ledger.find(text) if text else None

    def entries(self, texts: Sequence[str] | None) -> list[str]:
        """The whole ids of several entries."""
        return [self.ledger.find(text) for text in texts or ()]

    def date(self, field: str, text: str | None, against: str | None = None) -> str | None:
        """EDTF for a date as typed; words are read against the date of the report."""
        return fields.date(field, text, self.written, against=against, now=self.ledger.clock())

    def report(self, report: Report, *clocks: str) -> dict[str, Any]:
        """The chain and those of the clocks valid, said and published that are asked for (all, if none)."""
        published = self.date("published", report.published)
        data: dict[str, Any] = {"via": fields.source_ids(self.directory, report.via), "published": published}
        for clock in clocks or ("said", "valid"):
            data[clock] = self.date(clock, getattr(report, clock), published)
        return data

    def now_unless_dated(self, data: dict[str, Any]) -> None:
        """Date what a display shows by now where no date is given: seen again tomorrow, it is another act."""
        if not any(data.get(clock) for clock in ("valid", "said", "published")) and not self._call.key:
            data["published"] = f"{utc_text(self.ledger.clock())[:19]}Z"
            common.say(f"published: taken as now, {data['published']}; --published says otherwise")

    def ruling(self, ruling: Ruling) -> dict[str, Any]:
        """Who decided and when."""
        return {"by": ruling.by, "ruled": self.date("ruled", ruling.ruled)}

    # -- recording ---------------------------------------------------------------------------------

    def draft(self, name: str, data: Mapping[str, Any], words: object = None, **body: Any) -> Draft:
        """An event with the call's key; the body from ``words`` (a ``Report`` or ``Ruling``) and ``body``."""
        texts = {name: getattr(words, name, None) for name in ("url", "title", "quote", "note", "reason")}
        named = {**data, **data.get("changes", {})}
        written = {field: text for field, text in self.written.items() if named.get(field) is not None}
        found = fields.given({**texts, **body, "as_written": written})
        return Draft.of(name, fields.given({**data, "key": self._call.key}), found)

    def would_be_new(self, draft: Draft) -> bool:
        """Whether it is not recorded yet."""
        return self.ledger.append([draft], dry_run=True)[0].status == "new"

    def record(self, name: str, data: Mapping[str, Any], words: object = None, **body: Any) -> Receipt:
        """Append one event and print what became of it."""
        return self.send([self.draft(name, data, words, **body)])[0]

    def register(self, stream: str, drafts: Sequence[Draft]) -> None:
        """Append what registers or describes; no drafts: say where it stands already."""
        if drafts:
            self.send(drafts, verbs=[_name(draft).partition("-")[2] for draft in drafts])
        else:
            first = self.ledger.history(stream)[0]
            self._show([Receipt("already", stream, first.position)], [first.name], ["nothing new"], {})

    def send(
        self,
        drafts: Sequence[Draft],
        *,
        expected: int | None = None,
        verbs: Sequence[str] | None = None,
        **more: Any,
    ) -> list[Receipt]:
        """Append a batch and print what became of it; ``more`` goes into the JSON answer beside it."""
        if self._call.key and len(drafts) > 1:
            raise Usage("--key names one act, and this call records several", remedy="make it several calls")
        receipts = self.ledger.append(
            drafts, expected=expected, actor=common.actor(self._call.actor), dry_run=self._call.dry_run
        )
        self._show(receipts, list(map(_name, drafts)), verbs, more)
        for draft, receipt in zip(drafts, receipts, strict=True):
            self._mention_later(draft, receipt)
        return receipts

    def _show(
        self,
        receipts: Sequence[Receipt],
        names: Sequence[str],
        verbs: Sequence[str] | None,
        more: Mapping[str, Any],
    ) -> None:
        """Print receipts; their warnings go to stderr with the command that would mend them."""
        dry_run = self._call.dry_run
        if self.plain:
            for number, receipt in enumerate(receipts):
                would = "would be " if dry_run and receipt.status == "new" else ""
                print(f"{verbs[number]}: {would}{receipt.words}" if verbs else f"{would}{receipt.words}")
        else:
            rows = [_row(name, receipt) for name, receipt in zip(names, receipts, strict=True)]
            answer = {"schema": "append/1", "dry_run": dry_run, "receipts": rows, **more}
            common.emit(answer, rows, tuple(rows[0]), self._format)
        for receipt in receipts:
            for doubt in receipt.warnings:
                common.say(f"warning: {doubt}. To correct: {doubt.remedy}")

    @property
    def plain(self) -> bool:
        """Whether the answer is for people, in words."""
        return self._format is common.Format.table

    def _mention_later(self, draft: Draft, receipt: Receipt) -> None:
        """An act that was recorded before may have been undone by a later one of its kind: it stays undone."""
        if receipt.status == "new" or draft.event.OPENS:
            return
        name = _name(draft)
        stream = receipt.entry.partition("@")[0]
        later = [one for one in self.ledger.history(stream) if one.position > (receipt.position or 0)]
        newer = [one.position for one in later if one.name == name]
        if newer:
            common.say(
                f"note: a later {name} stands at #{newer[-1]}; to record this one again, give it a --key"
            )


def _name(draft: Draft) -> str:
    return draft.event.TYPE.partition("/")[0]


def _row(name: str, receipt: Receipt) -> dict[str, Any]:
    return {
        "event": name,
        "status": receipt.status,
        "position": receipt.position,
        "entry": receipt.entry,
        "warnings": [str(doubt) for doubt in receipt.warnings],
    }


def recording(command: Callable[..., None]) -> Callable[..., None]:
    """The command that opens the ledger, hands ``command`` a ``Form``, and takes the options of ``Call``."""
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.annotation is not Form
    ]
    groups = {one.name: cast("type[Any]", one.annotation) for one in own if is_dataclass(one.annotation)}

    def run(**typed: Any) -> None:
        call = _taken(Call, typed)
        for name, group in groups.items():
            typed[name] = _taken(group, typed)
        with common.open_ledger(call.db) as ledger:
            command(Form(ledger, call), **typed)

    parameters = [one for one in own if one.name not in groups]
    for group in (*groups.values(), Call):
        parameters += _options(group)
    update_wrapper(run, command)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name]
        )
        for one in fields_of(group)
    ]


def _taken(group: type[Any], typed: dict[str, Any]) -> Any:
    return group(**{one.name: typed.pop(one.name) for one in fields_of(group)})
