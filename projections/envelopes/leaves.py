"""Claims read from the bytes of their leaves: the usual shape of a leaf, and nothing else.

A leaf is canonical JSON (``ledger.codec``), so that a claim nearly always looks the same. What departs from
that in any way (an escape, a nested value, a name or date not met before, evidence leant on or spoken against)
is left to ``Reader``, which reads every leaf and which this file must agree with to the byte.

Executed twice, plain and compiled (see ``columns.modes``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ledger.dates import DAY_US, EPOCH
from projections.envelopes.shape import (
    ACTS,
    ALONE,
    AT,
    CARRIERS,
    CLAIM,
    DAY_MARK,
    DENIES,
    DISPLAY,
    DOUBTS,
    MOMENT_MARK,
    NEGATED,
    NONE,
    PART,
    SINCE,
    SIZE,
    SPEAKS_OF_EVIDENCE,
    TARGETED,
    VALID_KINDS,
    WITHIN,
)

inner: Any = globals().get("inner", lambda function: function)
entry: Any = globals().get("entry", inner)

WORDS = SIZE // 4
"""32-bit words of a record."""

NEVER_DATED = -(1 << 63)
"""In place of a moment or day that a date does not have."""

# Columns of a date: first and last day, the moment by which it was over, the day if it is one exact day, a mark
# of its very text, and the first and last day on which what is said to hold throughout it surely held.
LO, HI, LATEST, EXACT, MARK, FROM, TO = range(7)
MEANINGS = 7

_QUOTE, _ESCAPE, _COMMA, _COLON = ord('"'), ord("\\"), ord(","), ord(":")
_OPEN, _CLOSE, _LIST, _END = ord("{"), ord("}"), ord("["), ord("]")
_ZERO, _NINE, _A, _F, _DASH, _SLASH = ord("0"), ord("9"), ord("a"), ord("f"), ord("-"), ord("/")
_T, _Z, _DOT = ord("T"), ord("Z"), ord(".")
_ABOUT, _UNSURE, _BOTH = ord("~"), ord("?"), ord("%")
_LOWER_C, _LOWER_E = ord("c"), ord("e")


def _bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8)


_ACTOR, _BODY, _DATA = _bytes('"actor":'), _bytes('"body":'), _bytes('"data":{')
_RECORDED, _STREAM = _bytes('},"recorded":"'), _bytes('","stream":"')
_TYPE = _bytes('","type":"claim-reported/1","version":1}')
_MOMENT, _ID = len("2025-03-02T12:00:00.000000Z"), 34
_TAIL = len(_RECORDED) + _MOMENT + len(_STREAM) + _ID + len(_TYPE)
_TRUE, _FALSE, _NULL = _bytes("true"), _bytes("false"), _bytes("null")

#: The fields that a claim is read for, in the order of their names.
FIELDS = (
    "act", "based_on", "claimant", "extent", "negated", "place", "published", "question", "said", "standing",
    "state", "target", "valid", "valid_kind", "via",
)  # fmt: skip
(
    _ACT, _BASED, _CLAIMANT, _EXTENT, _NEGATED, _PLACE, _PUBLISHED, _QUESTION, _SAID, _STANDING,
    _STATE, _TARGET, _VALID, _VALID_KIND, _VIA,
) = range(15)  # fmt: skip
_WIDEST = max(map(len, FIELDS))
_NAMES = np.zeros((len(FIELDS), _WIDEST + 1), np.uint8)
for _n, _name in enumerate(FIELDS):
    _NAMES[_n, : len(_name)] = _bytes(_name)
    _NAMES[_n, _WIDEST] = len(_name)


def _choices(names: tuple[str, ...]) -> Any:
    """Names of a closed set as rows of bytes, the length last."""
    rows = np.zeros((len(names), 13), np.uint8)
    for row, name in zip(rows, names, strict=True):
        row[: len(name)] = _bytes(name)
        row[12] = len(name)
    return rows


_ACT_NAMES, _KIND_NAMES, _WHOLE = _choices(ACTS), _choices(VALID_KINDS), _bytes("whole")
_CONTROL = _bytes("control")


# -- texts met before ------------------------------------------------------------------------------------


@inner
def slot_of(slots, spans, arena, text, start, end):
    """Where a text stands in a table of texts, or would stand."""
    mark = np.int64(-3750763034362895579)
    for k in range(start, end):
        mark = (mark ^ np.int64(text[k])) * np.int64(1099511628211)
    mark ^= mark >> np.int64(31)
    slot = mark & np.int64(slots.shape[0] - 1)
    while slots[slot] >= 0:
        known = slots[slot]
        if spans[known, 1] == end - start:
            at, k = spans[known, 0], np.int64(0)
            while k < end - start and arena[at + k] == text[start + k]:
                k += 1
            if k == end - start:
                return slot
        slot = (slot + 1) & np.int64(slots.shape[0] - 1)
    return slot


@entry
def learn(slots, spans, arena, number, used, text):
    """Put a text under a number; there must be room for it."""
    slot = slot_of(slots, spans, arena, text, 0, text.shape[0])
    if slots[slot] < 0:
        slots[slot] = number
        spans[number, 0], spans[number, 1] = used, text.shape[0]
        for k in range(text.shape[0]):
            arena[used + k] = text[k]


# -- pieces of JSON ----------------------------------------------------------------------------------------


@inner
def matches(text, at, wanted):
    """Whether some bytes stand at a place."""
    for k in range(wanted.shape[0]):
        if text[at + k] != wanted[k]:
            return False
    return True


@inner
def string_end(text, at, stop):
    """Where a string that begins at ``at`` (behind its quote) ends; −1 where it is not a plain one."""
    while at < stop:
        one = text[at]
        if one == _QUOTE:
            return at
        if one == _ESCAPE or one < 32:
            return -1
        at += 1
    return -1


@inner
def value_end(text, at, stop):
    """Behind a string, a whole number, true, false or null; −1 for anything else."""
    one = text[at]
    if one == _QUOTE:
        end = string_end(text, at + 1, stop)
        return end + 1 if end >= 0 else -1
    if matches(text, at, _TRUE) or matches(text, at, _NULL):
        return at + 4
    if matches(text, at, _FALSE):
        return at + 5
    if not (one > _ZERO and one <= _NINE):
        return -1  # also 0 and what is negative: both are rare
    while at < stop and text[at] >= _ZERO and text[at] <= _NINE:
        at += 1
    return at


@inner
def field_of(text, start, end):
    """Which field a name is; −1 for one that a claim is not read for."""
    for n in range(_NAMES.shape[0]):
        if _NAMES[n, _WIDEST] == end - start and _NAMES[n, 0] == text[start]:
            k = 1
            while k < end - start and _NAMES[n, k] == text[start + k]:
                k += 1
            if k == end - start:
                return n
    return -1


@inner
def chosen_of(text, start, end, names):
    """Which of a closed set of names a text is; −1 for none."""
    for n in range(names.shape[0]):
        if names[n, 12] == end - start:
            k = 0
            while k < end - start and names[n, k] == text[start + k]:
                k += 1
            if k == end - start:
                return n
    return -1


@inner
def fields_of(text, at, stop, found, carriers):
    """Find the fields of a claim between ``at`` and ``stop``: where each value begins and ends (0, 0: absent),
    and up to three carriers. False where a leaf is none of the usual shape."""
    for n in range(found.shape[0]):
        found[n, 0], found[n, 1] = 0, 0
    for n in range(CARRIERS):
        carriers[n, 0], carriers[n, 1] = 0, 0
    if at == stop:
        return True
    before = at
    before_end = at
    while True:
        if text[at] != _QUOTE:
            return False
        end = string_end(text, at + 1, stop)
        if end < 0 or text[end + 1] != _COLON:
            return False
        if before_end > before and not ascends(text, before, before_end, at + 1, end):
            return False  # a name twice: which of the two counts is not for this file to say
        before, before_end = at + 1, end
        n = field_of(text, at + 1, end)
        at = end + 2
        if n == _VIA:
            at = carriers_of(text, at, stop, carriers)
            if at < 0:
                return False
        else:
            end = value_end(text, at, stop)
            if end < 0 or end > stop:
                return False
            if n >= 0:
                found[n, 0], found[n, 1] = at, end
            at = end
        if at == stop:
            return True
        if text[at] != _COMMA:
            return False
        at += 1


@inner
def ascends(text, a, a_end, b, b_end):
    """Whether one name stands before another in the order of their bytes."""
    k = 0
    while a + k < a_end and b + k < b_end:
        if text[a + k] != text[b + k]:
            return text[a + k] < text[b + k]
        k += 1
    return a + k == a_end and b + k < b_end


@inner
def carriers_of(text, at, stop, carriers):
    """Read a list of one to three plain strings; behind it, or −1."""
    if text[at] != _LIST:
        return -1
    at += 1
    n = 0
    while True:
        if n == CARRIERS or text[at] != _QUOTE:
            return -1
        end = string_end(text, at + 1, stop)
        if end < 0:
            return -1
        carriers[n, 0], carriers[n, 1] = at + 1, end
        n += 1
        at = end + 1
        if text[at] == _END:
            return at + 1
        if text[at] != _COMMA:
            return -1
        at += 1


@inner
def digits(text, at, many):
    """A number of some digits; −1 where there is anything else."""
    total = np.int64(0)
    for k in range(at, at + many):
        if text[k] < _ZERO or text[k] > _NINE:
            return np.int64(-1)
        total = total * 10 + np.int64(text[k]) - _ZERO
    return total


@inner
def hex_into(text, at, out, word):
    """Write 32 hex digits as four words; False where they are not lower-case hex."""
    for w in range(4):
        total = np.int64(0)
        for k in range(4):
            pair = np.int64(0)
            for half in range(2):
                one = np.int64(text[at + 8 * w + 2 * k + half])
                if one >= _ZERO and one <= _NINE:
                    pair = pair * 16 + one - _ZERO
                elif one >= _A and one <= _F:
                    pair = pair * 16 + one - _A + 10
                else:
                    return False
            total |= pair << (8 * k)
        out[word + w] = total - ((total >> 31) << 32)
    return True


@inner
def put_long(out, word, value):
    """Write a 64-bit number as two words, the low one first."""
    low = value & np.int64(0xFFFFFFFF)
    out[word] = low - ((low >> np.int64(31)) << np.int64(32))
    out[word + 1] = value >> np.int64(32)


# -- dates ---------------------------------------------------------------------------------------------------


@inner
def day_in(text, at):
    """The ordinal of a day written YYYY-MM-DD; −1 where there is none.

    Days before a month by Howard Hinnant's ``days_from_civil`` (*chrono-Compatible Low-Level Date Algorithms*).
    """
    year, month, day = digits(text, at, 4), digits(text, at + 5, 2), digits(text, at + 8, 2)
    if text[at + 4] != _DASH or text[at + 7] != _DASH or year < 1 or month < 1 or month > 12 or day < 1:
        return np.int64(-1)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 29 if leap else 28
    if month != 2:
        longest = 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31
    if day > longest:
        return np.int64(-1)
    counted = year - (1 if month <= 2 else 0)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day
    return counted * 365 + counted // 4 - counted // 100 + counted // 400 + of_year - 306


@inner
def dated(text, start, end, slots, spans, arena, dates, out):
    """What a date means (``LO`` … ``TO``): a day, one that is not certain, a moment to the second, or any other
    that was met before. False for the rest."""
    length = end - start
    if length == 10 or length == 11:
        day = day_in(text, start)
        mark = text[end - 1]
        if day >= 0 and (length == 10 or mark == _ABOUT or mark == _UNSURE or mark == _BOTH):
            on_day(day, out)
            if length == 11:
                out[EXACT], out[MARK] = NEVER_DATED, NEVER_DATED
            return True
    elif length == 20 and text[end - 1] == _Z:
        moment = moment_in(text, start)
        if moment != NEVER_DATED:
            on_day(moment // DAY_US + EPOCH, out)
            out[LATEST], out[MARK] = moment, MOMENT_MARK + moment
            return True
    slot = slot_of(slots, spans, arena, text, start, end)
    if slots[slot] < 0:
        return False
    for k in range(MEANINGS):
        out[k] = dates[slots[slot], k]
    return True


@inner
def on_day(day, out):
    """What an exact day means."""
    out[LO], out[HI], out[EXACT], out[FROM], out[TO] = day, day, day, day, day
    out[LATEST], out[MARK] = (day - EPOCH + 1) * DAY_US - 1, DAY_MARK + day


@inner
def moment_in(text, at):
    """A moment written to the second, in microseconds; ``NEVER_DATED`` where there is none."""
    day = day_in(text, at)
    if day < 0 or text[at + 10] != _T or text[at + 13] != _COLON or text[at + 16] != _COLON:
        return np.int64(NEVER_DATED)
    hour, minute, second = digits(text, at + 11, 2), digits(text, at + 14, 2), digits(text, at + 17, 2)
    if hour < 0 or minute < 0 or second < 0 or hour > 23 or minute > 59 or second > 59:
        return np.int64(NEVER_DATED)
    return (day - EPOCH) * DAY_US + (hour * 3600 + minute * 60 + second) * 1_000_000


@inner
def spoken_of(text, start, end, slots, spans, arena, dates, out):
    """``dated``, or an interval of days, open (``..``) or not; what that says of moments is left undone."""
    if dated(text, start, end, slots, spans, arena, dates, out):
        return True
    first = day_in(text, start)
    if first < 0 or text[start + 10] != _SLASH:
        return False
    out[LO], out[FROM], out[HI], out[TO] = first, first, NEVER_DATED, NEVER_DATED
    if end - start == 13 and text[end - 1] == _DOT and text[end - 2] == _DOT:
        return True
    last = day_in(text, start + 11) if end - start == 21 else np.int64(-1)
    out[HI], out[TO] = last, last
    return last >= first


# -- a claim -------------------------------------------------------------------------------------------------


@entry
def read_claims(
    text, ends, first, slots, spans, arena, day_slots, day_spans, day_arena, dates, control, records, read,
    found, carriers, when,
):  # fmt: skip
    """Read leaves; ``read`` stays 0 where one is not for this file.

    ``text`` holds all of them, each up to ``ends``; the first has position ``first``. Names stand in ``slots``,
    ``spans`` and ``arena`` under their codes, dates in the ``day_…`` ones with their meaning in ``dates``.
    ``control``: the code of the question that goes without saying. ``records`` (leaves, 25) and ``read``
    (leaves) are filled; ``found``, ``carriers`` and ``when`` (3, 7) are for working in.
    """
    for i in range(ends.shape[0]):
        start = ends[i - 1] if i else np.int64(0)
        if claim(
            text, start, ends[i], first + i, slots, spans, arena, day_slots, day_spans, day_arena, dates,
            control, records[i], found, carriers, when,
        ):  # fmt: skip
            read[i] = 1


@inner
def claim(
    text, start, stop, position, slots, spans, arena, day_slots, day_spans, day_arena, dates, control, out,
    found, carriers, when,
):  # fmt: skip
    """Read one leaf. False where it is no claim of the usual shape."""
    tail = stop - _TAIL
    if (
        tail < start + 12
        or not matches(text, stop - _TYPE.shape[0], _TYPE)
        or not matches(text, tail, _RECORDED)
    ):
        return False
    moment = tail + _RECORDED.shape[0]
    stream = moment + _MOMENT + _STREAM.shape[0]
    if not matches(text, moment + _MOMENT, _STREAM) or text[start] != _OPEN:
        return False
    if text[stream] != _LOWER_C or text[stream + 1] != _DASH or not hex_into(text, stream + 2, out, 6):
        return False
    at = start + 1
    for name in (_ACTOR, _BODY):
        if matches(text, at, name):
            at += name.shape[0]
            if text[at] != _QUOTE:
                return False
            at = string_end(text, at + 1, tail) + 2
            if at < 2 or text[at - 1] != _COMMA:
                return False
    if not matches(text, at, _DATA) or not fields_of(text, at + _DATA.shape[0], tail, found, carriers):
        return False
    recorded = recorded_at(text, moment)
    if recorded == NEVER_DATED:
        return False
    return meant(
        text, position, recorded, slots, spans, arena, day_slots, day_spans, day_arena, dates, control, out,
        found, carriers, when,
    )  # fmt: skip


@inner
def recorded_at(text, at):
    """The moment of recording in microseconds; ``NEVER_DATED`` where it is not in the usual shape."""
    moment, micros = moment_in(text, at), digits(text, at + 20, 6)
    if text[at + 19] != _DOT or text[at + 26] != _Z or micros < 0 or moment == NEVER_DATED:
        return np.int64(NEVER_DATED)
    return moment + micros


@inner
def text_of(text, found, n):
    """Whether a field is absent (0), a text that says something (1), or anything else (−1)."""
    if found[n, 1] == 0:
        return 0
    return 1 if text[found[n, 0]] == _QUOTE and found[n, 1] - found[n, 0] > 2 else -1


@inner
def truth_of_field(text, found, n):
    """Whether a field is absent or false (0), true (1), or anything else (−1)."""
    if found[n, 1] == 0:
        return 0
    if found[n, 1] - found[n, 0] == 4 and matches(text, found[n, 0], _TRUE):
        return 1
    if found[n, 1] - found[n, 0] == 5 and matches(text, found[n, 0], _FALSE):
        return 0
    return -1


@inner
def code_of(text, start, end, slots, spans, arena):
    return slots[slot_of(slots, spans, arena, text, start, end)]


@inner
def known_from(published, said, recorded, has_published, has_said):
    """``case.known_at`` of the same clocks: published, else said, else recorded."""
    for turn in range(2):
        if (turn == 0 and not has_published) or (turn == 1 and not has_said):
            continue
        one = published if turn == 0 else said
        if one[LATEST] == NEVER_DATED:
            continue
        if one[LO] != NEVER_DATED and recorded < one[LATEST] and one[LO] <= recorded // DAY_US + EPOCH:
            return recorded
        return one[LATEST]
    return recorded


@inner
def days_meant(date, valid_kind, said_day):
    """``case.days_of``: the first and last day spoken of."""
    if valid_kind == AT or valid_kind == WITHIN:
        hi = date[HI]
        if hi == NEVER_DATED:
            hi = said_day if date[LO] == NEVER_DATED else max(said_day, date[LO])
        return (hi if date[LO] == NEVER_DATED else date[LO]), hi
    first, last = date[FROM], date[TO]
    if valid_kind == SINCE:
        first = first if date[HI] == NEVER_DATED else date[HI]
        last = said_day
    if first == NEVER_DATED:
        first = last
    if last == NEVER_DATED:
        last = said_day
    if first == NEVER_DATED:
        first = last
    return min(first, last), max(first, last)


@inner
def meant(
    text, position, recorded, slots, spans, arena, day_slots, day_spans, day_arena, dates, control, out, found,
    carriers, when,
):  # fmt: skip
    """What a claim whose fields were found means, as ``Reader`` says it. False where it is not for this file."""
    for n in (
        _ACT,
        _CLAIMANT,
        _EXTENT,
        _PLACE,
        _PUBLISHED,
        _QUESTION,
        _SAID,
        _STATE,
        _TARGET,
        _VALID,
        _VALID_KIND,
    ):
        if text_of(text, found, n) < 0:
            return False
    negated, standing = truth_of_field(text, found, _NEGATED), truth_of_field(text, found, _STANDING)
    if negated < 0 or standing < 0 or found[_BASED, 1] or not found[_CLAIMANT, 1] or not found[_PLACE, 1]:
        return False
    for n in range(2):
        field = (_PUBLISHED, _SAID)[n]
        if found[field, 1] and not dated(
            text, found[field, 0] + 1, found[field, 1] - 1, day_slots, day_spans, day_arena, dates, when[n]
        ):
            return False
    if found[_VALID, 1] and not spoken_of(
        text, found[_VALID, 0] + 1, found[_VALID, 1] - 1, day_slots, day_spans, day_arena, dates, when[2]
    ):
        return False
    has_published, has_said = found[_PUBLISHED, 1] > 0, found[_SAID, 1] > 0
    known = known_from(when[0], when[1], recorded, has_published, has_said)
    today = known // DAY_US + EPOCH
    said_day, saying = today, np.int64(ALONE)
    spoken = 1 if has_said else 0 if has_published else -1
    if spoken >= 0:
        if when[spoken, HI] != NEVER_DATED:
            said_day = when[spoken, HI]
        if when[spoken, EXACT] != NEVER_DATED:
            saying = when[spoken, EXACT]
    act, valid_kind = 0, 0
    if found[_ACT, 1]:
        act = chosen_of(text, found[_ACT, 0] + 1, found[_ACT, 1] - 1, _ACT_NAMES)
    if found[_VALID_KIND, 1]:
        valid_kind = chosen_of(text, found[_VALID_KIND, 0] + 1, found[_VALID_KIND, 1] - 1, _KIND_NAMES)
    if act < 0 or valid_kind < 0:
        return False
    valid = 2 if found[_VALID, 1] else spoken
    lo, hi = said_day, said_day
    if valid >= 0:
        lo, hi = days_meant(when[valid], valid_kind, said_day)
    flags, kind = 0, CLAIM
    if negated:
        flags |= NEGATED
    if found[_EXTENT, 1] and not (
        found[_EXTENT, 1] - found[_EXTENT, 0] == 7 and matches(text, found[_EXTENT, 0] + 1, _WHOLE)
    ):
        flags |= PART
    if standing:
        kind = DISPLAY
        hi = min(hi, today)
        lo = min(lo, hi)
        if not has_said:
            saying = np.int64(ALONE + 1)
        elif when[1, MARK] == NEVER_DATED:
            return False
        else:
            saying = when[1, MARK]
    for word in range(10, 14):
        out[word] = 0
    if found[_TARGET, 1]:
        flags |= TARGETED
        target = found[_TARGET, 0] + 1
        if found[_TARGET, 1] - target != _ID + 1 or text[target + 1] != _DASH:
            return False
        if text[target] == _LOWER_E:
            if act == DENIES or act == DOUBTS:
                return False
            flags |= SPEAKS_OF_EVIDENCE
        if not hex_into(text, target + 2, out, 10):
            return False
    place = code_of(text, found[_PLACE, 0] + 1, found[_PLACE, 1] - 1, slots, spans, arena)
    source = code_of(text, found[_CLAIMANT, 0] + 1, found[_CLAIMANT, 1] - 1, slots, spans, arena)
    question, state = np.int64(control), np.int64(NONE)
    if found[_QUESTION, 1]:
        question = code_of(text, found[_QUESTION, 0] + 1, found[_QUESTION, 1] - 1, slots, spans, arena)
    if found[_STATE, 1]:
        state = code_of(text, found[_STATE, 0] + 1, found[_STATE, 1] - 1, slots, spans, arena)
        if state < 0:
            return False
    if place < 0 or source < 0 or question < 0:
        return False
    for n in range(CARRIERS):
        out[18 + n] = NONE
        if carriers[n, 1]:
            carrier = code_of(text, carriers[n, 0], carriers[n, 1], slots, spans, arena)
            if carrier < 0:
                return False
            out[18 + n] = carrier
    put_long(out, 0, position)
    put_long(out, 2, known)
    put_long(out, 4, saying)
    out[14], out[15], out[16], out[17] = place, source, question, state
    out[21], out[22], out[23] = lo, hi, said_day
    out[24] = kind | (act << 8) | (valid_kind << 16) | (flags << 24)
    return True
