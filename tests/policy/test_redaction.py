import base64
import gzip
import json

import pytest

from poller.policy.redaction import HIDDEN, MOST_UNPACKED, Redaction, path_of

CUSTOMER = {"id": 7, "email": "ann@example.com", "cards": [{"number": "1"}, {"number": "2"}]}
HIDDEN_CUSTOMER = {**CUSTOMER, "email": HIDDEN, "cards": [{"number": HIDDEN}, {"number": HIDDEN}]}
PATHS = ["Records.body.customer.email", "Records.body.customer.cards.number"]


def event(body):
    return json.dumps({"Records": [{"messageId": "1", "body": body}]}).encode()


def of(paths, given):
    redacted, count = Redaction(paths)(given)
    return json.loads(redacted), count


def body_of(paths, body):
    found, count = of(paths, event(body))
    return found["Records"][0]["body"], count


def test_nothing_is_touched_where_nothing_is_to_be_hidden():
    given = b'{ "Records": [] }'
    assert Redaction([])(given) == (given, 0)


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (lambda text: text, lambda text: text),
        (lambda text: base64.b64encode(text.encode()).decode(), base64.b64decode),
        (
            lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
            lambda text: gzip.decompress(base64.b64decode(text)),
        ),
    ],
    ids=["JSON", "base64", "gzip"],
)
def test_a_payload_is_opened_redacted_and_packed_again(pack, unpack):
    body, count = body_of(PATHS, pack(json.dumps({"customer": CUSTOMER})))
    assert (json.loads(unpack(body)), count) == ({"customer": HIDDEN_CUSTOMER}, 3)


def test_a_payload_without_what_is_hidden_stays_byte_for_byte():
    body = '{ "customer" :  {"id": 7} }'
    assert body_of(PATHS, body) == (body, 0)


@pytest.mark.parametrize(
    "body",
    [
        "no payload at all",
        base64.b64encode(b"no JSON").decode(),
        base64.b64encode(gzip.compress(b"no JSON")).decode(),
        base64.b64encode(gzip.compress(b'{"customer": 1}')[:-9]).decode(),
        base64.b64encode(b"\x1f\x8bnot gzip").decode(),
        base64.b64encode(gzip.compress(b" " * (MOST_UNPACKED + 1))).decode(),
        "[" * 100_000,
    ],
    ids=["text", "base64", "gzip", "cut", "broken", "bomb", "deep"],
)
def test_a_payload_that_cannot_be_opened_is_hidden_whole(body):
    assert body_of(PATHS[:1], body) == (HIDDEN, 1)


@pytest.mark.parametrize("given", [b"no JSON", b"[" * 100_000])
def test_an_event_that_cannot_be_read_is_hidden_whole(given):
    assert of(PATHS, given) == (HIDDEN, 1)


def test_a_star_is_any_name_and_a_backslash_keeps_a_dot():
    image = {"email": {"S": "a"}, "a.b": {"S": "c"}}
    given = json.dumps({"Records": [{"dynamodb": {"NewImage": image, "Keys": {"id": {"N": "1"}}}}]}).encode()
    found, count = of(["Records.dynamodb.*.email", r"Records.dynamodb.NewImage.a\.b.S"], given)
    assert count == 2
    assert found["Records"][0]["dynamodb"]["NewImage"] == {"email": HIDDEN, "a.b": {"S": HIDDEN}}


def test_what_a_path_does_not_lead_to_is_not_there():
    assert of(["a.b", "Records.x"], b'{"a": 1, "Records": [{"y": null}]}') == ({"a": 1, "Records": [{"y": None}]}, 0)


@pytest.mark.parametrize("text", ["", ".", "a..b", "a."])
def test_a_path_has_names(text):
    with pytest.raises(ValueError, match="must be names with dots"):
        path_of(text)
