"""Time stamps (RFC 3161) from an authority that lives for one test; and from those that are none."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ledger.integrity.stamps import folder
from tests.conftest import CommandLine
from tests.ledger.small import Small

pytest.importorskip("rfc3161_client", reason="the extra `stamp` is not installed")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="there is no openssl to be an authority with")

_CONFIG = """
[ req ]
distinguished_name = name
prompt = no
[ name ]
CN = {name}
[ ca ]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ stamper ]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ tsa ]
default_tsa = one
[ one ]
serial = serial
signer_cert = stamper.pem
signer_key = stamper.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
"""

Answer = Callable[[bytes], tuple[int, bytes]]


def _openssl(where: Path, *words: str) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *words], cwd=where, check=True, capture_output=True, timeout=60)


def authority(where: Path, name: str) -> Path:
    """A certificate and one that it lets stamp times, in a folder."""
    where.mkdir()
    (where / "conf").write_text(_CONFIG.format(name=name))
    (where / "serial").write_text("01\n")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "conf")
    _openssl(
        where, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-extensions", "ca"
    )
    _openssl(
        where, "req", *new, "-keyout", "stamper.key", "-out", "stamper.csr", "-subj", f"/CN={name} stamper"
    )
    _openssl(
        where,
        *("x509", "-req", "-in", "stamper.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "stamper.pem", "-days", "30", "-extfile", "conf", "-extensions", "stamper"),
    )
    return where


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One to trust, and another."""
    base = tmp_path_factory.mktemp("authorities")
    return authority(base / "a", "Authority"), authority(base / "b", "Stranger")


def stamping(where: Path) -> Answer:
    def answer(query: bytes) -> tuple[int, bytes]:
        (where / "query").write_bytes(query)
        _openssl(
            where,
            "ts",
            "-reply",
            "-config",
            "conf",
            "-section",
            "one",
            "-queryfile",
            "query",
            "-out",
            "reply",
        )
        return 200, (where / "reply").read_bytes()

    return answer


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """An authority on this machine; its address. It ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(autouse=True)
def _directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens on this machine is asked without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


@pytest.fixture
def stamped(small: Small, authorities: tuple[Path, Path]) -> Small:
    with listening(stamping(authorities[0])) as url:
        small.run("checkpoint", "--stamp", url)
    return small


def stamps(small: Small, roots: Path, ok: int = 0) -> list[dict[str, object]]:
    answer = small.json("verify", "--stamps", roots, ok=ok)
    return [one for one in answer["checks"] if one["check"].startswith("time stamp")]


def test_a_stamp_says_when_a_checkpoint_was_there(stamped: Small, authorities: tuple[Path, Path]) -> None:
    (one,) = stamps(stamped, authorities[0] / "ca.pem")
    assert one["ok"] is True
    assert f"at #{Small.EVENTS}" in str(one["detail"]) and "was there at 20" in str(one["detail"])


def test_a_stamp_still_holds_when_the_ledger_has_grown(
    stamped: Small, authorities: tuple[Path, Path]
) -> None:
    stamped.claim()
    with listening(stamping(authorities[0])) as url:
        stamped.run("checkpoint", "--stamp", url)
    assert [one["ok"] for one in stamps(stamped, authorities[0] / "ca.pem")] == [True, True]


def test_only_a_hash_goes_to_the_authority(small: Small, authorities: tuple[Path, Path]) -> None:
    asked: list[bytes] = []

    def watched(query: bytes) -> tuple[int, bytes]:
        asked.append(query)
        return stamping(authorities[0])(query)

    with listening(watched) as url:
        note = small.run("checkpoint", "--stamp", url).out
    (query,) = asked
    assert len(query) < 128
    assert not any(word.encode() in query for word in note.split() if len(word) > 8)


def test_under_another_s_certificates_a_stamp_is_worth_nothing(
    stamped: Small, authorities: tuple[Path, Path]
) -> None:
    (one,) = stamps(stamped, authorities[1] / "ca.pem", ok=6)
    assert one["ok"] is False


def _note(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def do(where: Path) -> None:
        (note,) = where.glob("*.note")
        note.write_bytes(change(note.read_bytes()))

    return do


def _answer(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def do(where: Path) -> None:
        (answer,) = where.glob("*.tsr")
        answer.write_bytes(change(answer.read_bytes()))

    return do


SPOILT: dict[str, Callable[[Path], None]] = {
    "over another checkpoint": _note(lambda raw: raw.replace(b"\n8\n", b"\n9\n")),
    "over no checkpoint": _note(lambda raw: b"noise"),
    "over nothing": lambda where: next(where.glob("*.note")).unlink(),
    "cut off": _answer(lambda raw: raw[:-40]),
    "of no bytes": _answer(lambda raw: b""),
    "of noise": _answer(lambda raw: bytes(range(256))),
    "with a bit turned at its end": _answer(lambda raw: raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:]),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_verify_finds_a_stamp(stamped: Small, authorities: tuple[Path, Path], spoilt: str) -> None:
    SPOILT[spoilt](folder(stamped.db))
    (one,) = stamps(stamped, authorities[0] / "ca.pem", ok=6)
    assert one["ok"] is False


def test_a_stamp_over_another_note_that_was_signed_is_found(
    stamped: Small, authorities: tuple[Path, Path]
) -> None:
    """The note is a checkpoint of this ledger; the stamp is that of an earlier one."""
    stamped.claim()
    later = stamped.run("checkpoint").out.encode()
    _note(lambda _: later)(folder(stamped.db))
    assert [one["ok"] for one in stamps(stamped, authorities[0] / "ca.pem", ok=6)] == [False]


def test_no_stamps_are_told_and_no_fault(small: Small, authorities: tuple[Path, Path]) -> None:
    (one,) = stamps(small, authorities[0] / "ca.pem")
    assert (one["ok"], one["detail"]) == (None, "there are none")


@pytest.mark.parametrize(
    "roots", ["", "noise", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_roots_that_are_no_certificates_are_refused(stamped: Small, tmp_path: Path, roots: str) -> None:
    (tmp_path / "roots.pem").write_text(roots)
    assert "no certificates" in stamped.refuses("verify", "--stamps", tmp_path / "roots.pem", code=2)


def _refusing(where: Path) -> Answer:
    """Stamps what it was not asked to."""

    def answer(query: bytes) -> tuple[int, bytes]:
        (where / "other").write_bytes(b"another text")
        _openssl(where, "ts", "-query", "-data", "other", "-sha512", "-cert", "-out", "otherquery")
        return stamping(where)((where / "otherquery").read_bytes())

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (200, b""),
        lambda _: (200, b"<html>hello</html>"),
        lambda _: (200, bytes(100_000)),
        lambda _: (200, b"\x30\x05\x30\x03\x02\x01\x02"),  # a refusal, as the standard spells it
        lambda _: (404, b"not here"),
        lambda _: (500, b"out of order"),
        lambda query: (200, query),
        None,
    ],
)
def test_an_authority_that_gives_no_stamp_leaves_nothing_behind(
    small: Small, authorities: tuple[Path, Path], answer: Answer | None
) -> None:
    with listening(answer or _refusing(authorities[0])) as url:
        line = small.refuses("checkpoint", "--stamp", url, code=1)
        assert (url in line and "ry another authority" in line) or "ry again" in line
    assert not folder(small.db).exists()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://127.0.0.1:99999/", "http://[/", "https://a b/"]
)
def test_an_authority_that_is_not_there_is_said_so(small: Small, url: str) -> None:
    assert url in small.refuses("checkpoint", "--stamp", url, code=1)
    assert not folder(small.db).exists()


@pytest.mark.parametrize("url", ["ftp://x.example/", "file:///etc/passwd", "x.example", ""])
def test_an_address_of_another_kind_is_never_opened(small: Small, url: str) -> None:
    assert "no address" in small.refuses("checkpoint", "--stamp", url, code=2)


def test_stamps_that_cannot_be_kept_are_said_so(small: Small, authorities: tuple[Path, Path]) -> None:
    folder(small.db).write_text("in the way")
    with listening(stamping(authorities[0])) as url:
        assert "cannot be written" in small.refuses("checkpoint", "--stamp", url, code=1)


def test_a_sealed_copy_brings_its_stamps(
    claims: CommandLine, stamped: Small, authorities: tuple[Path, Path], tmp_path: Path
) -> None:
    stamped.run("seal", tmp_path / "closed.db")
    answer = claims("verify", "--stamps", authorities[0] / "ca.pem", db=tmp_path / "closed.db")
    assert [one["ok"] for one in answer["checks"] if one["check"].startswith("time stamp")] == [True]
