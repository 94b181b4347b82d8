"""`http_face` of a function: what it says, and what is refused."""

import pytest
import yaml

from poller.values.http_face import Cors, HttpFace


def text_of(**faces):
    functions = {
        name: {"type": "http", "url": "http://127.0.0.1:8080/", "http_face": face} for name, face in faces.items()
    }
    return yaml.safe_dump({"functions": functions})


FACE = {"path": "/shop", "payload": "alb", "auth": "none"}


def test_a_face_is_read_with_its_defaults_in_either_spelling(bench):
    cors = {"AllowOrigins": ["*"], "MaxAge": 60}
    configuration = bench.text(text_of(f=FACE | {"MultiValueHeaders": True, "cors": cors}))
    assert configuration.functions["f"].http_face == HttpFace(
        path="/shop",
        payload="alb",
        auth="none",
        multi_value_headers=True,
        cors=Cors(allow_origins=("*",), max_age=60),
    )


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        ({"path": "/status/x"}, "path: is a path of the daemon's own API; choose another one"),
        ({"path": "/2015-03-31"}, "path: is a path of the daemon's own API"),
        ({"path": "/shop/"}, "it must be a path such as /shop"),
        ({"path": "/"}, "it must be a path such as /shop"),
        ({"payload": "soap"}, "payload: is 'soap'"),
        ({"auth": None}, "auth: has no value"),
        ({"payload": "function_url", "multi_value_headers": True}, "multi_value_headers is for payload alb; remove it"),
        ({"cors": {"max_age": -1}}, "max_age: is -1"),
    ],
)
def test_what_no_face_can_be_is_refused_with_its_reason(bench, face, reason):
    problems = bench.problems_of(text_of(f=FACE | face))
    assert any(reason in problem for problem in problems), problems


def test_who_may_ask_has_to_be_said(bench):
    [problem] = bench.problems_of(text_of(f={"path": "/shop", "payload": "alb"}))
    assert "auth: is missing" in problem


def test_two_functions_cannot_have_one_path(bench):
    [problem] = bench.problems_of(text_of(f=FACE, g=FACE))
    assert "http_face.path: is the path of f already; choose another" in problem
