"""The whole vocabulary of what can go wrong, with exit codes and remedies.

An error composes its own one-line message: what was wrong, where, and what to do next. Commands print
it and end with its ``exit_code``; nothing else in the project decides an exit code.

==== ===================================================================
code meaning
==== ===================================================================
0    done
1    failed; a conflict; a view that needs a replay
2    usage; an impossible date; a bad map
3    a name, state or id that is unknown or ambiguous
4    some rows were rejected
5    differences were found
6    the record does not verify
7    the ledger is locked by somebody else
130  interrupted
==== ===================================================================
"""

from __future__ import annotations

OK, FAILED, USAGE, UNKNOWN, REJECTED, DIFFERENT, UNVERIFIED, LOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130


class LedgerError(Exception):
    """Anything a user can be told about. ``str()`` is one line: ``where: what. Remedy.``"""

    exit_code = FAILED

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        from ledger.text import visible

        line = f"{self.where}: {self.what}" if self.where else self.what
        if self.remedy:
            line = f"{line.rstrip('.')}. {self.remedy[:1].upper()}{self.remedy[1:]}"
        return visible(line, keep_newlines=False)


class Conflict(LedgerError):
    """The same key or id with other content, or a position that is not the expected one."""


class NoLedger(LedgerError):
    """There is no ledger where one was looked for, or what is there is none."""


class ReplayDue(LedgerError):
    """A view was built by other logic than the one asked for; it is not used."""


class WriteFailed(LedgerError):
    """The store could not write; nothing of the batch was recorded."""


class Usage(LedgerError):
    """The words of the call do not fit together."""

    exit_code = USAGE


class BadDate(Usage):
    """Not a date, a day that does not exist, or an interval that runs backwards."""


class BadMap(Usage):
    """A mapping file that cannot be used, or that names a column the data does not have."""


class BadEvent(Usage):
    """Author fields that do not make a valid event."""


class UnknownName(LedgerError):
    """A place, source, party, question, state or id that the ledger does not know."""

    exit_code = UNKNOWN


class AmbiguousName(UnknownName):
    """A spelling that several registered places or sources share."""


class Rejected(LedgerError):
    """An import went through, but some rows were refused."""

    exit_code = REJECTED


class Unverified(LedgerError):
    """Stored bytes, hashes or the tree head contradict each other."""

    exit_code = UNVERIFIED


class Locked(LedgerError):
    """Another process holds the write lock for longer than we wait."""

    exit_code = LOCKED
