"""Finding one id behind many spellings, scripts and apostrophes, and never guessing between homonyms.

Only registered spellings are found: "Kupyansk" and "Купянск" lead to one town because both were registered
for it, not because one was romanised into the other; romanising would make false friends. What is folded
away is typography: case, accents, the dozen apostrophes and primes in use, hyphens, invisible characters.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache

from ledger.errors import AmbiguousName, UnknownName
from ledger.text import homoglyphs

# Apostrophes, quotes, primes and the signs that stand for them or for a soft sign in romanised names.
_APOSTROPHES = "'\"`´’‘‚‛“”„‟′″‴‵‶ʼʻʽʹʺˈˊˋ׳״＇＂｀«»‹›"
_INVISIBLE = "\u00ad\u200b-\u200f\u2060\ufeff"
# Accents of Latin, Greek and Cyrillic, and the vowel points of Hebrew and Arabic. Marks that make another
# letter, as in Japanese or Devanagari, are kept.
_ACCENTS = "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
# Letters that carry their stroke or upturn without a combining mark.
_STROKES = {
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "ø": "o",
    "ħ": "h",
    "ŧ": "t",
    "ı": "i",
    "æ": "ae",
    "œ": "oe",
    "ґ": "г",
}

_DROPPED = re.compile(f"[{_APOSTROPHES}{_INVISIBLE}{_ACCENTS}]")
_HYPHENS = re.compile("[-_‐‑‒–—―−·־]")
_SPACING_ACUTE = re.compile("[´΄\u1ffd]")
_STROKED = re.compile(f"[{''.join(_STROKES)}]")


@lru_cache(maxsize=1 << 14)
def fold(text: str) -> str:
    """The form under which names are compared: without case, accents, apostrophes; hyphens are blanks.

    >>> fold("КУП’ЯНСЬК-Вузловий") == fold("Купʼянськ Вузловий")
    True
    """
    if text.isascii():
        folded = text.casefold()
    else:
        # An acute accent in place of an apostrophe would fall apart into a blank and a mark.
        folded = unicodedata.normalize("NFKD", _SPACING_ACUTE.sub("", text))
        # Twice, for casefolding composes some letters anew.
        folded = unicodedata.normalize("NFKD", folded.casefold())
        folded = _STROKED.sub(lambda stroked: _STROKES[stroked.group()], folded)
    return " ".join(_HYPHENS.sub(" ", _DROPPED.sub("", folded)).split())


# Words of a hint that tell no two regions apart.
_GENERIC = frozenset(
    (
        "oblast",
        "region",
        "raion",
        "rayon",
        "district",
        "province",
        "obl",
        "область",
        "область",
        "обл",
        "район",
    )
)
_HINTED = re.compile(r"(?P<name>[^,(]+?)\s*(?:,(?P<after>.+)|\((?P<inside>[^()]*)\))\s*", re.DOTALL)
_LISTED = 12
_LISTS = {"place": "places", "source": "sources"}  # the commands that list what is registered


@dataclass(slots=True)
class _Thing:
    label: str
    hint: str
    names: list[str] = field(default_factory=list)


def _hint_words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", fold(text)))


def _covers(hint: str, telling: frozenset[str]) -> bool:
    words = _hint_words(hint)
    return all(any(word.startswith(start) for word in words) for start in telling)


class NameIndex:
    """Names and ids of one kind of thing (places, sources), for looking up what a user typed."""

    def __init__(self) -> None:
        self._things: dict[str, _Thing] = {}
        self._by_name: dict[str, dict[str, str]] = {}  # folded name -> id -> the spelling registered
        self._merged: dict[str, str] = {}
        self._sorted: list[str] | None = None

    # -- filling ---------------------------------------------------------------------------------------

    def add(self, id: str, name: str, label: str, hint: str = "") -> None:
        """Register a spelling. ``label`` is how the thing is shown, ``hint`` its kind and region.

        Called once a spelling; the last label and hint of an id count. The id itself is a name as well.
        """
        thing = self._things.get(id)
        if thing is None:
            thing = self._things[id] = _Thing(label, hint)
            self._name(id, id)
        thing.label, thing.hint = label, hint
        if name not in thing.names:
            thing.names.append(name)
            self._name(id, name)

    def alias(self, id_from: str, id_to: str) -> None:
        """Let ``id_from`` stand for ``id_to``: another register's id, or a thing merged into another."""
        if id_from != id_to:
            self._merged[id_from] = id_to

    def _name(self, id: str, name: str) -> None:
        folded = fold(name)
        if folded:
            spellings = self._by_name.setdefault(folded, {})
            if spellings.get(id, id) == id:  # the first spelling counts, but a name before the id
                spellings[id] = name
            self._sorted = None

    # -- looking up ------------------------------------------------------------------------------------

    def canonical(self, id: str) -> str:
        """The id that ``id`` was merged into, over any number of steps; itself if none."""
        seen = {id}
        while (into := self._merged.get(id)) is not None and into not in seen:
            id = into
            seen.add(id)
        return id

    def label(self, id: str) -> str:
        """How a thing is shown; its id where it is not registered."""
        thing = self._things.get(self.canonical(id))
        return thing.label if thing else id

    def candidates(self, text: str) -> list[str]:
        """The canonical ids that ``text`` may mean, by id, name, or "name, hint"; sorted, empty if none."""
        stripped = text.strip()
        if (id := self.canonical(stripped)) in self._things:
            return [id]
        if found := self._named(stripped):
            return found
        if match := _HINTED.fullmatch(stripped):
            return self._hinted(self._named(match["name"]), match["after"] or match["inside"] or "")
        return []

    def resolve(self, text: str, *, what: str = "place") -> str:
        """The id that ``text`` means.

        An id, or one that was merged or aliased, goes before a name. "Radkivka, Kharkiv oblast" and
        "Radkivka (Kharkiv)" choose among homonyms. Raises ``AmbiguousName`` listing the candidates, or
        ``UnknownName`` with up to three suggestions; ``what`` names the kind of thing in the message.
        """
        found = self.candidates(text)
        if len(found) == 1:
            return found[0]
        if found:
            raise self._ambiguous(text, found, what)
        raise self._unknown(text, what)

    def complete(self, prefix: str, limit: int = 50) -> list[tuple[str, str]]:
        """(name, hint) pairs whose name begins with ``prefix``, in order of name.

        A homonym comes as "name, hint", which ``resolve`` takes; where the hint does not tell the homonyms
        apart, as its id. Other ids are offered once the prefix has the colon of an id.
        """
        if self._sorted is None:
            self._sorted = sorted(self._by_name)
        start = fold(prefix)
        found: dict[str, str] = {}
        for position in range(bisect_left(self._sorted, start), len(self._sorted)):
            if not self._sorted[position].startswith(start) or len(found) >= limit:
                break
            for id, spelling in self._by_name[self._sorted[position]].items():
                if spelling != id or ":" in prefix or id in self._things[id].names:
                    name, hint = self._completion(self.canonical(id), spelling)
                    found.setdefault(name, hint)
        return list(found.items())[:limit]

    # -- inside ----------------------------------------------------------------------------------------

    def _named(self, name: str) -> list[str]:
        ids = {self.canonical(id) for id in self._by_name.get(fold(name), ())}
        return sorted(id for id in ids if id in self._things)

    def _hinted(self, ids: list[str], hint: str) -> list[str]:
        """Those of ``ids`` whose hint has a word beginning with each telling word of ``hint``."""
        words = _hint_words(hint)
        telling = words - _GENERIC or words
        return [id for id in ids if telling and _covers(self._things[id].hint, telling)]

    def _completion(self, id: str, spelling: str) -> tuple[str, str]:
        hint = self._things[id].hint if id in self._things else ""
        if len(self._named(spelling)) < 2:
            return spelling, hint
        hinted = f"{spelling}, {hint}"
        return (hinted, hint) if self.candidates(hinted) == [id] else (id, f"{spelling}, {hint}".strip(", "))

    def _described(self, id: str) -> str:
        thing = self._things[id]
        return f"{id} ({thing.label}{', ' if thing.hint else ''}{thing.hint})"

    def _ambiguous(self, text: str, ids: list[str], what: str) -> AmbiguousName:
        listed = "; ".join(self._described(id) for id in ids[:_LISTED])
        more = f"; and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        return AmbiguousName(
            f"{len(ids)} {_LISTS.get(what, what)} are called {text!r}: {listed}{more}",
            remedy="Use the id, or 'NAME, REGION'",
        )

    def _unknown(self, text: str, what: str) -> UnknownName:
        match = _HINTED.fullmatch(text.strip())
        if match and (elsewhere := self._named(match["name"])):
            listed = "; ".join(self._described(id) for id in elsewhere[:3])
            return UnknownName(f"no {what} {text!r}", remedy=f"Of that name there is {listed}")
        mixed = homoglyphs(text)
        note = f" ({mixed[0]!r} mixes Latin with Cyrillic or Greek letters)" if mixed else ""
        near = self._suggest(text)
        if near:
            remedy = f"Did you mean {' or '.join(self._described(id) for id in near)}?"
        else:
            remedy = f"`claims {_LISTS[what]}` lists those known; " if what in _LISTS else ""
            remedy += f"`claims {what}` registers one"
        return UnknownName(f"no {what} {text!r}{note}", remedy=remedy)

    def _suggest(self, text: str) -> list[str]:
        """Up to three ids with a name like ``text``, the likest first; ties in order of name."""
        from rapidfuzz import fuzz, process

        folded = fold(text)
        scored = process.extract(folded, sorted(self._by_name), scorer=fuzz.ratio, limit=12, score_cutoff=70)
        ids = (self.canonical(id) for name, *_ in scored for id in sorted(self._by_name[name]))
        return [id for id in dict.fromkeys(ids) if id in self._things][:3]
