"""Requests that others sign: botocore's signatures are taken, and anything changed afterwards is not."""

from calendar import timegm

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode_sequence
from hypothesis import given
from hypothesis import strategies as st

from poller.aws.verification import BadSignature, Signed, check_scope, check_signature, read_claim

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = float(timegm((2026, 1, 31, 12, 0, 0)))
STAMP = "20260131T120000Z"
HOST = "127.0.0.1:8642"


def signed(method="POST", target="/2015-03-31/event-source-mappings", body=b"{}", **headers):
    """A request as botocore signs it for Lambda."""
    request = AWSRequest(method, f"http://{HOST}{target}", headers=headers, data=body)
    auth = SigV4Auth(Credentials("AKIAPOLLER", SECRET), "lambda", "eu-west-1")
    request.context["timestamp"] = request.headers["X-Amz-Date"] = STAMP
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    authorization = f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names}, Signature={signature}"
    found = {name.lower(): [value] for name, value in request.headers.items()}
    return authorization, Signed(method, target, {**found, "host": [HOST]}, body)


def verify(authorization, request, now=NOW, secret=SECRET, service="lambda"):
    claim = read_claim(authorization)
    check_scope(claim, request.headers, service, now)
    check_signature(claim, secret, request)
    return claim


def test_what_botocore_signs_is_taken():
    claim = verify(*signed())
    assert (claim.access_key_id, claim.region, claim.service) == ("AKIAPOLLER", "eu-west-1", "lambda")


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)


@given(
    st.lists(st.sampled_from(["a", "arn%3Aaws%3Alambda", "%24LATEST", "f:1", "~", "a%20b"]), min_size=1, max_size=3),
    st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=3),
    st.binary(max_size=40),
)
def test_any_path_query_and_body(segments, query, body):
    target = "/" + "/".join(segments) + (f"?{percent_encode_sequence(query)}" if query else "")
    verify(*signed(target=target, body=body))


CHANGED = {
    "method": lambda request: request._replace(method="DELETE"),
    "path": lambda request: request._replace(target="/2015-03-31/event-source-mappings/x"),
    "query": lambda request: request._replace(target=request.target + "?MaxItems=1"),
    "body": lambda request: request._replace(body=b'{"Enabled": false}'),
    "host": lambda request: request._replace(headers={**request.headers, "host": ["evil.example"]}),
    "another host": lambda request: request._replace(headers={**request.headers, "host": [HOST, "evil.example"]}),
    "header": lambda request: request._replace(headers={**request.headers, "x-amz-invocation-type": ["Event"]}),
    "date": lambda request: request._replace(headers={**request.headers, "x-amz-date": ["20260131T120001Z"]}),
    "no date": lambda request: request._replace(headers={"host": [HOST]}),
    "two dates": lambda request: request._replace(
        headers={**request.headers, "x-amz-date": request.headers["x-amz-date"] * 2}
    ),
    "nonsense for a date": lambda request: request._replace(
        headers={**request.headers, "x-amz-date": ["20260131T999999Z"]}
    ),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_whatever_is_changed_afterwards_breaks_the_signature(change):
    authorization, request = signed()
    with pytest.raises(BadSignature):
        verify(authorization, change(request))


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (301.0, "Signature expired: 20260131T120000Z is now earlier than 20260131T120001Z (20260131T120501Z - 5 min.)"),
        (
            -301.0,
            "Signature not yet current: 20260131T120000Z is still later than 20260131T115959Z (20260131T115459Z + 5",
        ),
    ],
)
def test_a_signature_is_good_for_five_minutes(later, said):
    authorization, request = signed()
    verify(authorization, request, NOW + (later - 1 if later > 0 else later + 1))
    with pytest.raises(BadSignature) as bad:
        verify(authorization, request, NOW + later)
    assert said in str(bad.value)
    assert bad.value.code == "InvalidSignatureException"


def test_one_for_another_service_is_not_for_us():
    authorization, request = signed()
    with pytest.raises(BadSignature, match="scoped to correct service: 'sqs'"):
        verify(authorization, request, service="sqs")


def test_another_secret():
    authorization, request = signed()
    with pytest.raises(BadSignature, match="The request signature we calculated does not match"):
        verify(authorization, request, secret=SECRET + "x")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 nonsense",
        "AWS4-HMAC-SHA256 Credential=A/20260131/eu-west-1/lambda, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20260131/eu-west-1/lambda/aws4_request, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20260131/eu-west-1/lambda/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=A/20260131/eu-west-1/lambda/aws4_request, SignedHeaders=x-amz-date;host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=A/20260131/eu-west-1/lambda/aws4_request, SignedHeaders=Host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=Ü/20260131/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 " + "x" * 10_000,
    ],
)
def test_what_is_no_signature(authorization):
    with pytest.raises(BadSignature) as bad:
        read_claim(authorization)
    assert bad.value.code == "IncompleteSignatureException"


@pytest.mark.parametrize("signature", ["", "0" * 64, "ü" * 64, "0" * 63])
def test_a_made_up_signature(signature):
    authorization, request = signed()
    made_up = authorization[: authorization.index("Signature=") + len("Signature=")] + signature
    with pytest.raises(BadSignature):
        verify(made_up, request)


def test_a_day_that_differs_from_the_date():
    authorization, request = signed()
    with pytest.raises(BadSignature, match="does not match YYYYMMDD"):
        verify(authorization.replace("20260131", "20260130"), request)
