"""Whatever bytes come, in whatever pieces: one outcome, and no false success.

Two oracles: the answer that was meant, and the same bytes cut in other places.
"""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.receiving import MOST, Outcome, receive

ENDINGS = ["nothing", "eof", "reset"]
FOUND = {path.stem: path for path in sorted((Path(__file__).parent / "found").glob("*.json"))}
"""Inputs on which a version of the client once did the wrong thing, and what is right."""

token = st.sampled_from([b"X-A", b"Date", b"x-amzn-RequestId", b"Connection", b"Content-Length", b"Transfer-Encoding"])
value = st.sampled_from(
    [
        b"",
        b"a",
        b"close",
        b"keep-alive",
        b"chunked",
        b"gzip, chunked",
        b"chunked, x",
        b"0",
        b"2",
        b"3",
        b"-1",
        b"2, 2",
        b"1e3",
    ]
)
header = st.builds(
    lambda name, gap, text: name + b":" + gap + text + b"\r\n", token, st.sampled_from([b" ", b"", b"\t "]), value
)
status_line = st.builds(
    lambda version, status, reason: b"HTTP/" + version + b" " + status + reason + b"\r\n",
    st.sampled_from([b"1.1", b"1.0", b"1.1", b"2.0", b"0.9", b"1.2", b"1"]),
    st.sampled_from([b"200", b"204", b"304", b"100", b"101", b"102", b"400", b"503", b"099", b"1000", b"20"]),
    st.sampled_from([b" OK", b"", b" ", b" a b"]),
)
chunk = st.sampled_from(
    [b"0\r\n\r\n", b"2\r\nok\r\n", b"2;a=b\r\nok\r\n", b"0\r\nX: y\r\n\r\n", b"A\r\n0123456789\r\n", b"2\r\nokk\r\n"]
)
message = st.builds(
    lambda line, headers, body: line + b"".join(headers) + b"\r\n" + body,
    status_line,
    st.lists(header, max_size=4),
    st.binary(max_size=8) | st.lists(chunk, max_size=3).map(b"".join),
)
noise = st.binary(max_size=12) | st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"HTTP/1.1 ", b"\x00"])
stream = st.lists(message | noise, max_size=3).map(b"".join) | st.binary(max_size=200)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with a few bytes changed, taken out or doubled."""
    data = bytearray(draw(message))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + 1] = draw(
            st.sampled_from([b"", b"\r", b"\n", b":", b" ", b"\x00", b"\xff", data[at : at + 1] * 2])
        )
    return bytes(data)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(at, len(data)) for at in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def check(data: bytes, cuts: list[int], then: str) -> None:
    whole, in_pieces = receive([data], then=then), receive(cut(data, cuts), then=then)
    if "reply" in (whole.kind, in_pieces.kind):
        agree_on_success(whole, in_pieces)


def agree_on_success(whole: Outcome, in_pieces: Outcome) -> None:
    """Cutting may show an answer before the surplus that spoils it is seen, but never another answer."""
    if whole.kind == in_pieces.kind == "reply":
        assert (whole.status, whole.headers, whole.body) == (in_pieces.status, in_pieces.headers, in_pieces.body)
    else:
        assert {whole.kind, in_pieces.kind} == {"reply", "lost"}
        assert whole.kind == "lost"


anything = given(
    data=stream | damaged(),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    then=st.sampled_from(ENDINGS),
)


@anything
def test_any_bytes_have_one_outcome(data: bytes, cuts: list[int], then: str) -> None:
    check(data, cuts, then)


@pytest.mark.slow
@settings(max_examples=150_000, deadline=None, suppress_health_check=list(HealthCheck))
@anything
def test_any_bytes_have_one_outcome_at_length(data: bytes, cuts: list[int], then: str) -> None:
    check(data, cuts, then)


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_right(name: str) -> None:
    case = json.loads(FOUND[name].read_text())
    data = case["data"].encode("latin-1")
    assert receive(cut(data, case["cuts"]), then=case["then"]).kind == case["kind"]
    check(data, case["cuts"], case["then"])


names = st.text("abcXYZ-", min_size=1, max_size=10).map("x-".__add__)
texts = st.text("aB0 ;=", max_size=10).map(str.strip)


@given(
    status=st.integers(200, 599).filter(lambda status: status not in {204, 304}),
    headers=st.dictionaries(names.map(str.lower), texts, max_size=5),
    body=st.binary(max_size=MOST),
    sizes=st.none() | st.lists(st.integers(1, 2000), max_size=20),
    cuts=st.lists(st.integers(0, MOST + 500), max_size=10),
    before=st.lists(
        st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nX-Early: 1\r\n\r\n"]), max_size=2
    ),
)
def test_a_good_answer_arrives_as_it_was_meant_however_it_is_cut(
    *,
    status: int,
    headers: dict[str, str],
    body: bytes,
    sizes: list[int] | None,
    cuts: list[int],
    before: list[bytes],
) -> None:
    framing = {"content-length": str(len(body))} if sizes is None else {"transfer-encoding": "chunked"}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {text}\r\n" for name, text in (headers | framing).items())
    wire = body if sizes is None else chunked(body, sizes)
    outcome = receive(cut(b"".join(before) + head.encode() + b"\r\n" + wire, cuts))
    assert outcome == Outcome("reply", status, tuple(sorted((headers | framing).items())), body, reusable=True)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    pieces, at = [], 0
    for size in [*sizes, len(body)]:
        if piece := body[at : at + size]:
            pieces.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += size
    return b"".join(pieces) + b"0\r\n\r\n"


@given(
    body=st.binary(min_size=1, max_size=300), sizes=st.none() | st.lists(st.integers(1, 50), max_size=5), data=st.data()
)
def test_an_answer_that_breaks_off_is_never_a_success(
    *, body: bytes, sizes: list[int] | None, data: st.DataObject
) -> None:
    framing = b"Content-Length: %d" % len(body) if sizes is None else b"Transfer-Encoding: chunked"
    wire = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + (body if sizes is None else chunked(body, sizes))
    end = data.draw(st.integers(0, len(wire) - 1))
    for then in ("eof", "reset"):
        assert receive([wire[:end]], then=then).kind == "lost"
    assert receive([wire[:end]]).kind == "open"
