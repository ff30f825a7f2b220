"""Many hashes and comparisons at a call, over columns of bytes: what ``glance`` looks with.

SHA-256 is that of the OpenSSL which Python's own ``hashlib`` is linked to, called without going through Python for
each message: a message costs a third. Importing this raises ``ImportError`` where that is not to be had; then there is
no glance, and every row is looked at by itself.

Texts lie in one array of bytes; where each begins and ends says an array of spans (n, 2).
"""

from __future__ import annotations

import _hashlib

import numpy as np
from numba import njit, types

from ledger.compiling import ADDRESS, BYTES, NUMBERS, SPANS, WRITTEN, beyond, kept, linked

_CONTEXT = 128
"""Bytes for a SHA256_CTX, which takes 112."""

_init, _update, _final, _memchr = linked(
    _hashlib,
    {
        "SHA256_Init": types.int32(ADDRESS),
        "SHA256_Update": types.int32(ADDRESS, ADDRESS, ADDRESS),
        "SHA256_Final": types.int32(ADDRESS, ADDRESS),
        "memchr": ADDRESS(ADDRESS, types.int32, ADDRESS),
    },
)

_ZERO, _NINE, _QUOTE, _ESCAPE, _Y = ord("0"), ord("9"), ord('"'), ord("\\"), ord("y")
_STREAM, _TYPE, _VERSION = (
    np.frombuffer(one, np.uint8) for one in (b',"stream":"', b'","type":"', b'","version":')
)
_ACTOR, _BODY, _KEY = (np.frombuffer(one, np.uint8) for one in (b'{"actor":"', b'"body":"', b'"key":"'))
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


@njit
def _stands(texts, at, end, words):
    """Whether ``words`` stand at a place, and end before ``end``."""
    if at < 0 or at + len(words) > end:
        return False
    for j in range(len(words)):
        if texts[at + j] != words[j]:
            return False
    return True


@njit
def _next(texts, at, end, byte):
    """Where a byte stands next; ``end`` where it does not."""
    if at >= end:
        return end
    found = _memchr(beyond(texts.ctypes.data, at), byte, end - at)
    return end if found == 0 else np.int64(found - texts.ctypes.data)


@kept(types.int64(BYTES, SPANS, NUMBERS))
def kinds(texts, spans, first):
    """Write down of each text the first that is the same; give how many different ones there are."""
    some, many = np.empty(64, np.int64), 0  # of the first few it is found at once
    different = 0
    for i in range(len(spans)):
        first[i] = i
        words = texts[spans[i, 0] : spans[i, 1]]
        for k in range(many):
            begin, end = spans[some[k]]
            if end - begin == len(words) and _stands(texts, begin, end, words):
                first[i] = some[k]
                break
        if first[i] == i:
            different += 1
            if many < len(some):
                some[many] = i
                many += 1
    return different


@kept(types.void(BYTES, SPANS, WRITTEN))
def leaves(texts, spans, digests):
    """``digests`` (32n,): the leaf hashes of texts, each of which must have a zero byte before it, which is RFC 6962's
    mark of a leaf."""
    context = np.empty(_CONTEXT, np.uint8)
    state, begin, out = context.ctypes.data, texts.ctypes.data, digests.ctypes.data
    for i in range(len(spans)):
        _init(state)
        _update(state, beyond(begin, spans[i, 0] - 1), spans[i, 1] - spans[i, 0] + 1)
        _final(beyond(out, 32 * i), state)


@kept(types.int64(BYTES, SPANS, BYTES))
def hashed(texts, hashes, digests):
    """How many hashes beside the rows are not their digests (32n,)."""
    others = 0
    for i in range(len(hashes)):
        begin, end = hashes[i]
        others += end - begin != 32 or not _stands(texts, begin, end, digests[32 * i : 32 * i + 32])
    return others


@kept(types.void(BYTES, WRITTEN))
def parents(nodes, digests):
    """``digests`` (32m,): the hashes of the nodes (64m or 64m + 32,) taken two by two (RFC 6962, 2.1)."""
    context, pair = np.empty(_CONTEXT, np.uint8), np.ones(65, np.uint8)
    state, begin, out = context.ctypes.data, pair.ctypes.data, digests.ctypes.data
    for i in range(len(digests) // 32):
        for j in range(64):
            pair[1 + j] = nodes[64 * i + j]
        _init(state)
        _update(state, begin, 65)
        _final(beyond(out, 32 * i), state)


@njit
def _before(texts, end, words):
    """Where ``words`` begin that end at a place; −1 where something else stands there."""
    at = end - len(words)
    return at if _stands(texts, at, end, words) else -1


@kept(types.int64(BYTES, SPANS, SPANS, SPANS, NUMBERS))
def tails(texts, states, streams, topics, versions):
    """How many states do not end in their stream, type and version, as a leaf does, whose keys are sorted."""
    others = 0
    for i in range(len(states)):
        end, version = states[i, 1] - 1, versions[i]
        same = end >= 0 and version > 0 and texts[end] == ord("}")
        while version > 0 and same:
            end -= 1
            same = end >= 0 and texts[end] == _ZERO + version % 10
            version //= 10
        if same:
            end = _before(texts, end, _VERSION)
            end = _before(texts, end, texts[topics[i, 0] : topics[i, 1]])
            end = _before(texts, end, _TYPE)
            end = _before(texts, end, texts[streams[i, 0] : streams[i, 1]])
            end = _before(texts, end, _STREAM)
            same = end > states[i, 0]
        others += not same
    return others


@kept(types.uint64(BYTES, BYTES, SPANS, NUMBERS, NUMBERS, types.int64))
def named(key, texts, streams, versions, positions, last):
    """The sum of ``glance.named_by`` over rows up to position ``last``."""
    keyed, context = np.empty(_CONTEXT // 8, np.uint64), np.empty(_CONTEXT // 8, np.uint64)
    digest, both = np.empty(32, np.uint8), np.empty(2, np.int64)
    state, begin, out = context.ctypes.data, texts.ctypes.data, digest.ctypes.data
    total = np.uint64(0)
    _init(keyed.ctypes.data)
    _update(keyed.ctypes.data, key.ctypes.data, len(key))  # once: each row goes on from there
    for i in range(len(positions)):
        if positions[i] > last:
            continue
        both[0], both[1] = positions[i], versions[i]
        for k in range(len(context)):
            context[k] = keyed[k]
        _update(state, both.ctypes.data, 16)
        _update(state, beyond(begin, streams[i, 0]), streams[i, 1] - streams[i, 0])
        _final(out, state)
        total += digest.view(np.uint64)[0]
    return total


@kept(types.boolean(BYTES, SPANS, NUMBERS))
def ascending(texts, streams, versions):
    """Whether rows ascend strictly by the bytes of their stream, then by version."""
    for i in range(1, len(versions)):
        a, b = streams[i - 1, 0], streams[i, 0]
        least = min(streams[i - 1, 1] - a, streams[i, 1] - b)
        order = 0
        for j in range(least):
            if texts[a + j] != texts[b + j]:
                order = 1 if texts[a + j] < texts[b + j] else -1
                break
        if order == 0:
            order = (streams[i, 1] - b) - (streams[i - 1, 1] - a)
        if order == 0:
            order = versions[i] - versions[i - 1]
        if order <= 0:
            return False
    return True


@kept(types.int64(BYTES, SPANS, WRITTEN))
def members(texts, states, keyed):
    """How often anything in the states has a member "body"; ``keyed`` says of each whether it has one "key"."""
    bodies = 0
    for i in range(len(states)):
        keyed[i] = 0
        begin, end = states[i]
        at = _next(texts, begin, end, _Y)
        while at < end:
            bodies += at - 4 >= begin and _stands(texts, at - 4, end, _BODY)
            keyed[i] |= at - 3 >= begin and _stands(texts, at - 3, end, _KEY)
            at = _next(texts, at + 1, end, _Y)
    return bodies


@njit
def _behind_the_actor(texts, begin, end):
    """Where the first member of a leaf begins, or the second, if the first says who appended it."""
    if not _stands(texts, begin, end, _ACTOR):
        return begin + 1
    at = begin + len(_ACTOR)
    while at < end and texts[at] != _QUOTE:
        at += 2 if texts[at] == _ESCAPE else 1
    return at + 2


@kept(types.int64(BYTES, SPANS, BYTES, BYTES, SPANS, NUMBERS))
def commitments(texts, states, domain, bodies, sealed, rows):
    """How many bodies are not those that the leaves in ``rows`` commit to (``codec.commitment``); each is its salt
    and its text."""
    context, digest = np.empty(_CONTEXT, np.uint8), np.empty(32, np.uint8)
    state, begin, out = context.ctypes.data, bodies.ctypes.data, digest.ctypes.data
    others = 0
    for i in range(len(rows)):
        _init(state)
        _update(state, domain.ctypes.data, len(domain))
        _update(state, beyond(begin, sealed[i, 0]), sealed[i, 1] - sealed[i, 0])
        _final(out, state)
        end = states[rows[i], 1]
        at = _behind_the_actor(texts, states[rows[i], 0], end)
        same = _stands(texts, at, end, _BODY) and at + len(_BODY) + 64 < end
        if same:
            at += len(_BODY)
            for k in range(32):
                same = same and texts[at + 2 * k] == _DIGITS[digest[k] >> 4]
                same = same and texts[at + 2 * k + 1] == _DIGITS[digest[k] & 15]
        others += not same
    return others
