"""Lines in the ledger's own format to drafts, with their names and labels looked up."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import codec
from ledger.book import Draft, entry_id
from ledger.errors import BadEvent, LedgerError
from ledger.importing import jsonl
from ledger.importing.reading import Raw
from ledger.importing.run import BAD_ROW, Desk, Item


class LineTranslator:
    """Lines in the ledger's own format. A line that gives names instead of ids sees all lines before it."""

    def __init__(self) -> None:
        self._labels: dict[str, str | None] = {}
        self._labelled_at: dict[str, int] = {}
        # Registrations that are not recorded yet, and whether anything waits that bears on names.
        self._waiting: dict[str, set[str]] = {"place": set(), "source": set()}
        self._unsettled = False

    def begin(self, desk: Desk) -> None:
        """Nothing to do."""

    def take(self, rows: Sequence[tuple[int, Raw]], desk: Desk) -> None:
        self._forget_waiting()  # the batch before is recorded
        for line, raw in rows:
            try:
                self._take(line, raw, desk)
            except BAD_ROW as error:
                desk.reject(line, error, raw)
                label = raw.get("as")
                if isinstance(label, str) and self._labels.setdefault(label, "") == "":
                    self._labelled_at.setdefault(label, line)

    def _take(self, number: int, raw: Raw, desk: Desk) -> None:
        line = jsonl.read(raw)
        if line.label is not None and line.label in self._labels:
            raise BadEvent(f"the label {line.label!r} is taken by line {self._labelled_at[line.label]}")
        data, body = jsonl.resolve(
            line,
            lambda kind, text: self._id(kind, text, desk),
            lambda label: self._entry(label, desk),
        )
        codec.canonical([data, body])  # now, for this line alone, what would otherwise fail a whole batch
        draft = Draft.of(line.name, data, body)
        item = Item(number, raw, draft)
        if line.label is not None:
            self._label(line.label, number, line.opens, item)
        if line.name in ("place-registered", "source-registered"):
            kind = line.name.partition("-")[0]
            self._waiting[kind].add(data[kind])
        self._unsettled = self._unsettled or line.registry or line.name == "entry-corrected"
        desk.add(item)

    def _id(self, kind: str, text: str, desk: Desk) -> str:
        """An exact id as it is, also of a line that is still waiting; a name once all before it is recorded,
        lest a homonym among the waiting be overlooked."""
        directory = desk.directory
        if text in (directory.places if kind == "place" else directory.sources):
            return text
        if text in self._waiting[kind]:
            return text
        if self._unsettled:
            self._flush(desk)
        directory = desk.directory
        return directory.resolve_place(text) if kind == "place" else directory.resolve_source(text)

    def _flush(self, desk: Desk) -> None:
        desk.flush()
        self._forget_waiting()

    def _forget_waiting(self) -> None:
        self._unsettled = False
        for waiting in self._waiting.values():
            waiting.clear()

    def _label(self, label: str, number: int, opens: bool, item: Item) -> None:
        # The id of what opens an entry is known at once; of what befalls one, when it is recorded.
        self._labels[label] = entry_id(item.draft.event) if opens else None
        self._labelled_at[label] = number

        def settled(entry: str) -> None:
            self._labels[label] = entry

        def refused(_: LedgerError) -> None:
            self._labels[label] = ""

        item.settled, item.refused = settled, refused

    def _entry(self, label: str, desk: Desk) -> str:
        if label not in self._labels:
            raise BadEvent(f"no line before this one is labelled {label!r}")
        if self._labels[label] is None:
            self._flush(desk)
        entry = self._labels[label]
        if not entry:
            raise BadEvent(f"line {self._labelled_at[label]}, labelled {label!r}, was rejected")
        return entry
