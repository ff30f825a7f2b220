"""Which logic answers: the one promoted last, as the ledger records it, else the default.

Promotions are events (``logic-promoted``) of one stream, so that the flip is one append, and the record says
for ever what was believed under which logic. They form a stack: promoting puts a logic on it, a rollback
takes the topmost off and names the one below. The code of a logic in a file is no part of the ledger, and is
never run because a ledger names it: a copy of each FILE.py that *this user* replayed is kept under its
fingerprint, and only such a copy is ever loaded by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.book import Ledger
from ledger.codec import Recorded, decode
from ledger.errors import Unverified, Usage

STREAM = "logic"
EVENT = "logic-promoted"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(@[0-9]+)?")
_MARK = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Promoted:
    """One promotion: ``position`` where it is recorded, ``at_position`` up to where the view reached that was
    compared, ``diff`` the digest of what was shown."""

    logic: str
    version: int
    fingerprint: str
    position: int
    at_position: int
    recorded: str
    actor: str | None = None
    diff: str | None = None
    rollback: bool = False

    @property
    def id(self) -> str:
        return f"{self.logic}@{self.version}"


def history(ledger: Ledger) -> list[Promoted]:
    """Every promotion and rollback, in order."""
    return [_promoted(decode(row)) for row in ledger.store.stream(STREAM)]


def _promoted(recorded: Recorded) -> Promoted:
    """A promotion as recorded. What it names is looked up among the installed and the kept, and never as a path: one
    that is no plain name was written by somebody who hoped for that. Raises ``Unverified``."""
    data = recorded.data
    name, version, mark = data.get("logic"), data.get("version"), data.get("fingerprint")
    if (
        recorded.name != EVENT
        or not (isinstance(name, str) and type(version) is int and isinstance(mark, str))
        or not (_NAME.fullmatch(f"{name}@{version}") and _MARK.fullmatch(mark))
        or type(data.get("at_position")) is not int
    ):
        raise Unverified(
            "what it promotes is no name of a logic",
            where=f"#{recorded.position}",
            remedy="Nothing of it was run; ask with --logic tally",
        )
    return Promoted(
        name,
        version,
        mark,
        recorded.position,
        data["at_position"],
        recorded.recorded,
        recorded.actor,
        data.get("diff"),
        data.get("rollback", False),
    )


def stack(events: Sequence[Promoted]) -> list[Promoted]:
    """What is promoted now, the live one last; empty where the default logic answers."""
    found: list[Promoted] = []
    for one in events:
        if one.rollback:
            del found[-1:]
        else:
            found.append(one)
    return found


def live(ledger: Ledger) -> Promoted | None:
    """The promoted logic that answers, None where none is."""
    return next(reversed(stack(history(ledger))), None)


def promote(
    ledger: Ledger, name: str, version: int, fingerprint: str, at_position: int, diff: str, actor: str | None
) -> Recorded:
    """Make a logic the one that answers. Raises ``Usage`` where it is so already."""
    now = live(ledger)
    if now is not None and (now.logic, now.version, now.fingerprint) == (name, version, fingerprint):
        raise Usage(
            f"{now.id} {fingerprint[:12]} is live already, since #{now.position}",
            remedy="`claims logic list` shows what is live",
        )
    return _append(
        ledger,
        {
            "logic": name,
            "version": version,
            "fingerprint": fingerprint,
            "at_position": at_position,
            "diff": diff,
        },
        actor,
    )


def roll_back(ledger: Ledger, default: tuple[str, int, str], actor: str | None) -> Recorded:
    """Make the logic before the live one answer again; ``default`` (name, version, fingerprint) is the one
    below all promoted ones. Raises ``Usage`` where none was promoted."""
    found = stack(history(ledger))
    if not found:
        raise Usage(
            "no logic was promoted that could be rolled back",
            remedy="`claims replay --logic FILE.py --promote` promotes one",
        )
    name, version, fingerprint = (
        (found[-2].logic, found[-2].version, found[-2].fingerprint) if len(found) > 1 else default
    )
    data = {
        "logic": name,
        "version": version,
        "fingerprint": fingerprint,
        "at_position": ledger.store.head().size,
        "rollback": True,
    }
    return _append(ledger, data, actor)


def _append(ledger: Ledger, data: dict[str, object], actor: str | None) -> Recorded:
    from ledger.book import Draft

    (receipt,) = ledger.append([Draft.of(EVENT, data)], actor=actor)
    recorded = ledger.event(receipt.position or 0)
    assert recorded is not None
    return recorded


# -- copies of files -------------------------------------------------------------------------------------------


def kept_folder() -> Path:
    """Where copies of replayed logic files lie: ``CLAIMS_LOGICS``, else the user's data folder."""
    chosen = os.environ.get("CLAIMS_LOGICS")
    if chosen:
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("claim-ledger") / "logics"


def keep(file: Path, logic: str, fingerprint: str) -> None:
    """Keep a copy of a logic's file, or of the one with its parameters, so that it can be asked for by name. What
    cannot be written is not kept: the file itself can still be named."""
    folder = kept_folder()
    path = folder / f"{logic}+{fingerprint}{file.suffix}"
    try:
        if path.is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(file.read_bytes())
        os.replace(beside, path)
    except OSError:
        return


def kept(logic: str, fingerprint: str = "", suffix: str = ".py") -> list[Path]:
    """Copies of a logic's files (``NAME`` or ``NAME@VERSION``), of a fingerprint that begins so, the newest last."""
    if not (_NAME.fullmatch(logic) and _MARK.fullmatch(fingerprint)):
        return []  # a name may come out of a ledger, and becomes a pattern of paths
    pattern = f"{logic if '@' in logic else f'{logic}@*'}+{fingerprint}*{suffix}"
    try:
        return sorted(kept_folder().glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))
    except OSError:
        return []
