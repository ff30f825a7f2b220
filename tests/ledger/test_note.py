"""Signed notes and checkpoints: what other tools have signed is read, and what nobody signed is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Unverified, Usage
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.note import Note, PublicKey, Signature, sign
from ledger.integrity.tree import EMPTY_ROOT

# The example of the documentation of Go's package note: golang.org/x/mod/sumdb/note.
NEUMANN = PublicKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PROBLEM = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
SIGNED = (
    PROBLEM
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotp"
    "RZb6KE6RyyBwJnAM=\n".encode()
)

# The example of C2SP's tlog-checkpoint. Its key is not published.
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
    "zyWE+xeMcTOAYQ8=\n"
).encode()

# RFC 8032, 7.1, test 3.
RFC_SECRET = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
RFC_PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
RFC_SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def private_of(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def key_of(seed: int, name: str = "example.org/log") -> PublicKey:
    return PublicKey(name, private_of(seed).public_key().public_bytes_raw())


ROOT = bytes(range(32))
KEY, OTHER = key_of(1), key_of(2)
PLAIN = Checkpoint(KEY.name, 7, ROOT)
RAW = PLAIN.signed(KEY, private_of(1))
TEXT, LINE = PLAIN.text().decode(), RAW.decode().rpartition("\n\n")[2]
BLOB = LINE.split(" ")[2].strip()


# -- what others have signed ----------------------------------------------------------------------------------


def test_the_note_of_the_go_documentation_is_signed_by_its_key() -> None:
    note = Note.parse(SIGNED)
    assert note.text == PROBLEM
    assert note.check(NEUMANN) == NEUMANN
    assert note.signatures[0].id == bytes.fromhex("c74f20a3")


def test_the_note_of_the_go_documentation_is_signed_by_nobody_else() -> None:
    with pytest.raises(Unverified, match=r"signed by PeterNeumann\+c74f20a3, not by example.org/log"):
        Note.parse(SIGNED).check(KEY)
    with pytest.raises(Unverified, match="not by any known key"):
        Note.parse(SIGNED).check()


def test_every_turned_bit_of_a_foreign_note_is_found() -> None:
    for at in range(len(SIGNED)):
        for bit in (1, 0x20, 0x80):
            turned = SIGNED[:at] + bytes([SIGNED[at] ^ bit]) + SIGNED[at + 1 :]
            with pytest.raises(Unverified):
                Note.parse(turned).check(NEUMANN)


def test_the_checkpoint_of_the_specification_is_read() -> None:
    note = Note.parse(SOFA)
    found = Checkpoint.read(note.text)
    assert (found.origin, found.size, found.extension) == ("example.com/behind-the-sofa", 20_852_163, ())
    assert base64.b64encode(found.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert [len(one.signature) for one in note.signatures] == [64]
    assert found.text() == note.text


def test_the_signature_of_the_rfc_comes_out() -> None:
    """RFC 8032 signs two bytes that are no text of a note; the key and the signature are made the same way."""
    private = Ed25519PrivateKey.from_private_bytes(RFC_SECRET)
    assert private.public_key().public_bytes_raw() == RFC_PUBLIC
    assert private.sign(bytes.fromhex("af82")) == RFC_SIGNATURE
    key = PublicKey("rfc", RFC_PUBLIC)
    assert key.verifies(RFC_SIGNATURE, bytes.fromhex("af82"))
    assert not key.verifies(RFC_SIGNATURE, bytes.fromhex("af83"))
    assert not key.verifies(RFC_SIGNATURE[:-1], bytes.fromhex("af82"))


# -- keys in print ----------------------------------------------------------------------------------------------


def test_a_key_survives_being_printed() -> None:
    for key in (KEY, NEUMANN, key_of(3, "claim-ledger/kupyansk/0123abcd"), key_of(4, "журнал")):
        assert PublicKey.parse(f" {key}\n") == key


def test_a_key_s_name_is_part_of_its_id() -> None:
    assert key_of(1, "a").id != key_of(1, "b").id


WORDS = str(KEY).split("+", 2)
KEY_LIES = {
    "nothing": "",
    "a name alone": KEY.name,
    "no key": f"{WORDS[0]}+{WORDS[1]}+",
    "no name": f"+{WORDS[1]}+{WORDS[2]}",
    "the id of another": f"{WORDS[0]}+{OTHER.id.hex()}+{WORDS[2]}",
    "the key of another": f"{WORDS[0]}+{WORDS[1]}+{str(OTHER).split('+', 2)[2]}",
    "another name": f"example.org/{WORDS[1]}+{WORDS[1]}+{WORDS[2]}",
    "a letter cut off": str(KEY)[:-1],
    "an id of three bytes": f"{WORDS[0]}+{WORDS[1][2:]}+{WORDS[2]}",
    "an id that is no hex": f"{WORDS[0]}+zzzzzzzz+{WORDS[2]}",
    "base64 with a blank in it": f"{WORDS[0]}+{WORDS[1]}+{WORDS[2][:5]} {WORDS[2][5:]}",
    "letters that are no base64": f"{WORDS[0]}+{WORDS[1]}+{'é' * 44}",
    "another kind of key": f"{WORDS[0]}+{WORDS[1]}+{base64.b64encode(bytes([2]) + KEY.public).decode()}",
    "a private key of Go's": f"PRIVATE+KEY+{WORDS[0]}+{WORDS[1]}+{WORDS[2]}",
    "a megabyte": "x" * (1 << 20),
    "a name with a blank": f"a b+{WORDS[1]}+{WORDS[2]}",
    "a terminal's command": f"\x1b]52;c;x\x07+{WORDS[1]}+{WORDS[2]}",
}


@pytest.mark.parametrize("lie", KEY_LIES)
def test_what_is_no_key_is_refused_in_one_short_line(lie: str) -> None:
    with pytest.raises(Usage) as caught:
        PublicKey.parse(KEY_LIES[lie])
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\nb", "a\tb", "a\u00a0b", "a\u2028b", "a\x1bb", "a\u202eb"]
)
def test_a_name_that_a_note_cannot_hold_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a key"):
        key_of(1, name)


# -- making and checking ------------------------------------------------------------------------------------------


def test_the_same_text_and_key_give_the_same_bytes() -> None:
    assert RAW == PLAIN.signed(KEY, private_of(1)) == sign(PLAIN.text(), KEY, private_of(1))
    assert PLAIN.signed(KEY, private_of(2)) != RAW


def test_a_text_without_a_line_end_is_not_signed() -> None:
    with pytest.raises(ValueError, match="line end"):
        sign(b"text", KEY, private_of(1))


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32), st.integers(0, 3))
def test_what_was_signed_is_read_back_word_for_word(size: int, root: bytes, lines: int) -> None:
    made = Checkpoint(KEY.name, size, root, tuple(f"line {number}" for number in range(lines)))
    assert Checkpoint.parse(made.signed(KEY, private_of(1)), OTHER, KEY) == made


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_no_byte_of_a_checkpoint_can_be_another(at: int, turned: int) -> None:
    with pytest.raises(Unverified):
        Checkpoint.parse(RAW[:at] + bytes([RAW[at] ^ turned]) + RAW[at + 1 :], KEY)


@given(st.binary(max_size=300))
def test_random_bytes_are_no_note_and_no_checkpoint(raw: bytes) -> None:
    for read in (Note.parse, Checkpoint.read, lambda one: Checkpoint.parse(one, KEY)):
        with pytest.raises(Unverified):
            read(raw)


@given(
    st.lists(
        st.sampled_from(["\n", "\n\n", "— ", "a", " ", KEY.name, "7", BLOB, TEXT, LINE, "é", "\t"]),
        max_size=9,
    )
)
def test_pieces_of_a_checkpoint_are_none_unless_they_make_it(pieces: list[str]) -> None:
    raw = "".join(pieces).encode()
    try:
        found = Checkpoint.parse(raw, KEY)
    except Unverified:
        return
    assert (found, raw.startswith(RAW)) == (PLAIN, True)


def test_one_that_goes_on_from_another_origin_says_which_and_from_where() -> None:
    before = Checkpoint("old/log", 9, EMPTY_ROOT)
    made = PLAIN.follows(before)
    assert made.extension == (f"after old/log 9 {base64.b64encode(EMPTY_ROOT).decode()}",)
    assert Checkpoint.parse(made.signed(KEY, private_of(1)), KEY) == made


# -- several signatures ---------------------------------------------------------------------------------------------


def _under(*lines: str) -> bytes:
    return (f"{TEXT}\n" + "".join(lines)).encode()


def _line(seed: int, name: str, text: bytes = PLAIN.text()) -> str:
    return sign(text, key_of(seed, name), private_of(seed)).decode().rpartition("\n\n")[2]


def test_a_signature_of_somebody_unknown_is_passed_over() -> None:
    strange = _line(9, "witness.example")
    for raw in (_under(LINE, strange), _under(strange, LINE)):
        assert Checkpoint.parse(raw, KEY) == PLAIN


def test_a_signature_of_an_unknown_kind_is_passed_over() -> None:
    """Cosignatures are longer than those of Ed25519: a time stands before them."""
    cosigned = f"— witness.example {base64.b64encode(bytes(76)).decode()}\n"
    assert Checkpoint.parse(_under(LINE, cosigned), KEY) == PLAIN


def test_a_bad_signature_of_somebody_known_spoils_the_good_ones() -> None:
    bad = _line(2, OTHER.name, b"another text\n")
    assert Checkpoint.parse(_under(LINE, bad), KEY) == PLAIN
    for raw in (_under(LINE, bad), _under(bad, LINE)):
        with pytest.raises(Unverified, match="does not fit"):
            Checkpoint.parse(raw, KEY, OTHER)


def test_a_good_signature_twice_is_one() -> None:
    assert Checkpoint.parse(_under(LINE, LINE), KEY) == PLAIN


@pytest.mark.parametrize("count", [16, 17, 100])
def test_many_signatures_are_read(count: int) -> None:
    strange = [_line(9, f"witness{number}.example") for number in range(count - 1)]
    assert Checkpoint.parse(_under(*strange, LINE), KEY) == PLAIN
    with pytest.raises(Unverified, match="not by"):
        Checkpoint.parse(_under(*strange), KEY)


def test_a_key_of_the_same_id_under_another_name_is_another_key() -> None:
    """The id is four bytes: whoever looks for it finds a key with another name that has the same one."""
    lied = Signature("example.org/lie", KEY.id, base64.b64decode(BLOB)[4:])
    with pytest.raises(Unverified, match=r"signed by example\.org/lie"):
        Note(PLAIN.text(), (lied,)).check(KEY)


# -- lies -------------------------------------------------------------------------------------------------------------


def _resigned(text: str | bytes) -> bytes:
    """Any text under a good signature: what the form must not allow, the key's owner could sign."""
    return sign(text.encode() if isinstance(text, str) else text, KEY, private_of(1))


def _with_blob(change: Callable[[str], str]) -> bytes:
    return f"{TEXT}\n— {KEY.name} {change(BLOB)}\n".encode()


ROOT64 = base64.b64encode(ROOT).decode()
assert ROOT64.endswith("8=")
LIES: dict[str, bytes] = {
    "nothing": b"",
    "a line end": b"\n",
    "the text alone": PLAIN.text(),
    "the text and an empty line": PLAIN.text() + b"\n",
    "the signature alone": LINE.encode(),
    "a signature under no text": b"\n\n" + LINE.encode(),
    "another key of the same name": PLAIN.signed(OTHER, private_of(2)),
    "another key's signature under this one's id": sign(PLAIN.text(), KEY, private_of(2)),
    "the id of this key under another name": _with_blob(lambda blob: blob).replace(
        f"— {KEY.name}".encode(), "— example.org/lie".encode()
    ),
    "the signature of another size": _resigned(TEXT).replace(b"\n7\n", b"\n8\n"),
    "a signature cut short": _with_blob(lambda blob: base64.b64encode(base64.b64decode(blob)[:-1]).decode()),
    "a signature with a byte too many": _with_blob(
        lambda blob: base64.b64encode(base64.b64decode(blob) + b"\0").decode()
    ),
    "a key's id and no signature": _with_blob(lambda blob: base64.b64encode(KEY.id).decode()),
    "a signature of three bytes": _with_blob(lambda blob: "AAAA"),
    "a signature of nothing": _with_blob(lambda blob: ""),
    "base64 with spare bits": _with_blob(lambda blob: blob[:-2] + chr(ord(blob[-2]) + 1) + "="),
    "base64 without its end": _with_blob(lambda blob: blob.rstrip("=")),
    "base64 for the web": _with_blob(lambda blob: f"-_{blob[2:]}"),
    "base64 with a blank in it": _with_blob(lambda blob: f"{blob[:9]} {blob[9:]}"),
    "base64 that is no ASCII": _with_blob(lambda blob: f"é{blob[1:]}"),
    "no line end": RAW[:-1],
    "two line ends": RAW + b"\n",
    "text behind it": RAW + b"text\n",
    "another empty line above the signature": RAW.replace(b"\n\n", b"\n\n\n"),
    "no empty line": RAW.replace(b"\n\n", b"\n"),
    "line ends of another system": RAW.replace(b"\n", b"\r\n"),
    "a carriage return": _resigned(TEXT.replace("\n", "\r\n", 1)),
    "a nul": _resigned(TEXT + "a\0\n"),
    "a tab": _resigned(TEXT + "a\tb\n"),
    "an escape": _resigned(TEXT + "\x1b[2J\n"),
    "bytes that are no UTF-8": _resigned(PLAIN.text() + b"\xff\n"),
    "a lone surrogate": _resigned(PLAIN.text() + b"\xed\xa0\x80\n"),
    "a mark of byte order": b"\xef\xbb\xbf" + RAW,
    "a short dash": RAW.replace("—".encode(), b"-"),
    "no dash": RAW.replace("— ".encode(), b""),
    "two blanks behind the dash": RAW.replace("— ".encode(), "—  ".encode()),
    "a blank behind the signature": RAW[:-1] + b" \n",
    "a line under it that is no signature": RAW + b"and more\n",
    "a note of a megabyte": _resigned(TEXT + "x" * (1 << 20) + "\n"),
    "a megabyte of signatures": RAW + LINE.encode() * 12_000,
    "another origin than the key's name": Checkpoint("example.org/lie", 7, ROOT).signed(KEY, private_of(1)),
    "no origin": _resigned(f"\n7\n{ROOT64}\n"),
    "an origin and a size": _resigned(f"{KEY.name}\n7\n"),
    "a size with a nought before it": _resigned(f"{KEY.name}\n07\n{ROOT64}\n"),
    "a size of two noughts": _resigned(f"{KEY.name}\n00\n{ROOT64}\n"),
    "a size below nought": _resigned(f"{KEY.name}\n-7\n{ROOT64}\n"),
    "a size with a plus": _resigned(f"{KEY.name}\n+7\n{ROOT64}\n"),
    "a size with a blank": _resigned(f"{KEY.name}\n7 \n{ROOT64}\n"),
    "a size with an underscore": _resigned(f"{KEY.name}\n1_0\n{ROOT64}\n"),
    "a size in other digits": _resigned(f"{KEY.name}\n٧\n{ROOT64}\n"),
    "a size with a fraction": _resigned(f"{KEY.name}\n7.0\n{ROOT64}\n"),
    "a size in hex": _resigned(f"{KEY.name}\n0x7\n{ROOT64}\n"),
    "a size of a thousand digits": _resigned(f"{KEY.name}\n{'9' * 1_000}\n{ROOT64}\n"),
    "no size": _resigned(f"{KEY.name}\n\n{ROOT64}\n"),
    "a root of 31 bytes": _resigned(f"{KEY.name}\n7\n{base64.b64encode(ROOT[1:]).decode()}\n"),
    "a root of 33 bytes": _resigned(f"{KEY.name}\n7\n{base64.b64encode(ROOT + b'x').decode()}\n"),
    "a root in hex": _resigned(f"{KEY.name}\n7\n{ROOT.hex()}\n"),
    "a root with spare bits": _resigned(f"{KEY.name}\n7\n{ROOT64[:-2]}9=\n"),
    "a root and something behind it": _resigned(f"{KEY.name}\n7\n{ROOT64} x\n"),
    "an empty line in the extension": _resigned(f"{TEXT}a\n\nb\n"),
    "an empty line for an extension": _resigned(f"{TEXT}\n"),
    "origin and size exchanged": _resigned(f"7\n{KEY.name}\n{ROOT64}\n"),
}


def test_the_truth_that_is_lied_about_is_a_checkpoint() -> None:
    assert Checkpoint.parse(RAW, KEY) == Checkpoint.parse(_resigned(TEXT), KEY) == PLAIN


@pytest.mark.parametrize("lie", LIES)
def test_a_checkpoint_that_lies_is_refused(lie: str) -> None:
    with pytest.raises(Unverified):
        Checkpoint.parse(LIES[lie], KEY)
