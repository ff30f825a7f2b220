"""A logic by what a worker needs to have the same one: its name, its numbers, its fingerprint; and its file's text where the
user named that file. Code is never run because a ledger names it, be it on another machine."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledger.errors import LedgerError
from projections import registry
from projections.belief.base import Logic
from projections.belief.params import Params
from projections.belief.voices import Learnt
from projections.registry import Loaded


class Lacking(LedgerError):
    """A worker has not the logic it is to judge by."""


@dataclass(frozen=True)
class Recipe:
    """``own``: it is a user's, out of a file; ``file`` is that file's (name, text) where the user named it now."""

    name: str
    version: int
    fingerprint: str
    params: Params = field(repr=False)
    code: str
    own: bool = False
    file: tuple[str, bytes] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, loaded: Loaded) -> Recipe:
        logic, file = loaded.logic, loaded.file
        own = file is not None and all(logic.id != one.id for one in registry.installed())
        shipped = (file.name, file.read_bytes()) if own and file and not loaded.kept else None
        code = registry.code_fingerprint()
        return cls(logic.name, logic.version, loaded.fingerprint, logic.params, code, own, shipped)

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"

    def logic(self, learnt: Learnt | None = None) -> Logic:
        """The logic, as it is on this machine. Raises ``Lacking`` where it is not the very same."""
        if self.fingerprint not in _known:
            _known[self.fingerprint] = self._found()
        return replace(_known[self.fingerprint], learnt=learnt)

    def _found(self) -> Logic:
        if registry.code_fingerprint() != self.code:
            raise self._lacking(
                f"has other code behind {self.id} ({registry.code_fingerprint()[:12]}, not {self.code[:12]})",
                "install the same claim-ledger on every worker, then start them again",
            )
        found = self._shipped() if self.file else self._by_name()
        if found is not None:
            return found
        if self.own:
            raise self._lacking(
                f"lacks the file of {self.id} {self.fingerprint[:12]}",
                "name the file itself (--logic FILE.py), which sends it along",
            )
        raise self._lacking(
            f"lacks the logic {self.id} {self.fingerprint[:12]}",
            "install on every worker what is installed here",
        )

    def _shipped(self) -> Logic | None:
        assert self.file is not None
        name, text = self.file
        with tempfile.TemporaryDirectory(prefix="claims-logic-") as folder:
            path = Path(folder) / Path(name).name
            path.write_bytes(text)
            return self._same(registry.load(f"{path}:{self.id}"))

    def _by_name(self) -> Logic | None:
        for logic in registry.installed():
            if logic.id == self.id:
                return self._same(Loaded(logic, ""))
        found = registry.by_name(f"{self.id}+{self.fingerprint}")
        return self._same(found) if found else None

    def _same(self, loaded: Loaded) -> Logic | None:
        """A logic under the parameters wanted; None where that is still another one."""
        logic = replace(loaded.logic, params=self.params)
        return logic if registry.fingerprint(logic, loaded.file) == self.fingerprint else None

    def _lacking(self, what: str, remedy: str) -> Lacking:
        return Lacking(what, where=f"worker {this_worker()}", remedy=remedy)


#: By fingerprint: a file is run once a process.
_known: dict[str, Logic] = {}


def this_worker() -> str:
    """How this worker is called."""
    try:
        from distributed import get_worker

        return str(get_worker().address)
    except (ImportError, ValueError):
        return f"{os.getpid()} on {socket.gethostname()}"
