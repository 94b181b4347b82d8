"""Secrets are planted everywhere one can stand; whatever happens then, none is found in anything a person reads."""

import json
import subprocess
import sys
from base64 import b64encode
from http import HTTPStatus

import pytest

from poller.cli.main import main
from tests.live.daemon import CHECKOUT, command, configuration, running, until
from tests.servers.process import free_port
from tests.servers.threaded import Handler, ThreadedServer

pytestmark = pytest.mark.live

CANARIES = {
    name: f"canary-{name}-5f1c9a"
    for name in (
        "api-token",
        "header-text",
        "header-env",
        "header-file",
        "bearer-token",
        "basic-password",
        "hmac-secret",
        "environment",
        "aws-secret-key",
        "aws-session-token",
        "role-external-id",
    )
}


SOUGHT = CANARIES | {"basic": b64encode(f"somebody:{CANARIES['basic-password']}".encode()).decode()}


class Echo(Handler):
    """Says everything it was told, with the status its path names: the worst a service can do to its callers."""

    def do_POST(self):  # noqa: N802 - the base class calls it so
        body = self.body()
        told = "\n".join(f"{name}:{value}" for name, value in self.headers.items()) + body.decode()
        kind = self.path.strip("/")
        if kind.isdecimal():
            self.answer(int(kind), told.encode())
        elif "x-amz-target" in self.headers:
            # as the services do: what should have been signed, every header of it
            message = f"The request signature we calculated does not match.\n\nThe Canonical String was\n'{told}'"
            body = json.dumps({"__type": "SignatureDoesNotMatch", "message": message}).encode()
            self.answer(403, body, x_amzn_RequestId="1")
        else:
            denied = (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform:"
                " sts:AssumeRole</Message></Error></ErrorResponse>"
            )
            self.answer(403, denied.encode(), Content_Type="text/xml")


class Text:
    """Everything that was said to anybody."""

    def __init__(self):
        self.said = {}

    def add(self, where, text):
        self.said[where] = self.said.get(where, "") + text

    def found(self):
        return [(name, where) for where, text in self.said.items() for name, value in SOUGHT.items() if value in text]


@pytest.fixture
def echo():
    with ThreadedServer(Echo) as server:
        yield server


@pytest.fixture
def environment(ministack):
    return ministack.environment() | {
        "AWS_SECRET_ACCESS_KEY": CANARIES["aws-secret-key"],
        "AWS_SESSION_TOKEN": CANARIES["aws-session-token"],
        "HEADER": CANARIES["header-env"],
    }


def web(echo, status, tmp_path):
    (tmp_path / "header").write_text(CANARIES["header-file"] + "\n")
    headers = {
        "Authorization": f"Bearer {CANARIES['header-text']}",
        "X-Env": {"env": "HEADER"},
        "X-File": {"file": "header"},
    }
    return {"type": "http", "url": f"{echo.url}/{status}", "headers": headers, "timeout_seconds": 5}


def authorized(echo):
    """Functions that prove who asks, each in its way, and are refused with all they sent."""
    url = f"{echo.url}/403"
    basic = {"username": "somebody", "password": CANARIES["basic-password"]}
    return {
        "bearer": {"type": "http", "url": url, "bearer_token": CANARIES["bearer-token"]},
        "basic": {"type": "http", "url": url, "basic_auth": basic},
        "hmac": {"type": "http", "url": url, "hmac": {"secret": CANARIES["hmac-secret"]}},
        "sigv4": {"type": "http", "url": url, "sigv4": {"service": "execute-api", "region": "eu-west-1"}},
    }


def run_here(tmp_path):
    """A function that runs here, knows a secret and fails."""
    (tmp_path / "app.py").write_text("import os\n\ndef handler(event, context):\n    os._exit(1)\n")
    environment = {"SECRET": CANARIES["environment"]}
    return {"type": "runtime", "handler": "app.handler", "code": str(tmp_path), "environment": environment}


def written(ministack, echo, tmp_path):
    """Mappings that go well, fail in every way, are refused, and cannot sign, assume or connect."""
    statuses = (200, 401, 429, 500, 503)
    functions = {f"s{status}": web(echo, status, tmp_path) for status in statuses}
    functions |= authorized(echo) | {"here": run_here(tmp_path)}
    functions["nowhere"] = web(echo, 200, tmp_path) | {"url": f"http://127.0.0.1:{free_port()}/"}
    mappings = []
    for name in functions:
        url = ministack.create_queue(name, VisibilityTimeout=1)
        ministack.send(url, f"to {name}")
        mappings.append({"name": name, "event_source_arn": ministack.queue_arn(name), "function_name": name})
    role = {"role_arn": "arn:aws:iam::123456789012:role/r", "external_id": CANARIES["role-external-id"]}
    for name, aws in (
        ("unsigned", {"endpoint_url": echo.url}),
        ("unsigned-by-the-sdk", {"endpoint_url": echo.url, "transport": "aiobotocore"}),
        ("unassumed", {**role, "services": {"sts": {"endpoint_url": echo.url}}}),
    ):
        mappings.append(
            {"name": name, "event_source_arn": ministack.queue_arn(name), "function_name": name, "aws": aws}
        )
    return configuration(
        tmp_path,
        *mappings,
        functions=functions,
        api={"listen": "127.0.0.1:0", "token": CANARIES["api-token"]},
        log={"level": "debug", "format": "json"},
    )


def ran(tmp_path, environment, *arguments):
    process = command(tmp_path, environment, *arguments)
    return "".join(process.communicate(timeout=120))


@pytest.mark.heavy
def test_no_secret_is_in_anything_a_running_daemon_says(ministack, echo, environment, tmp_path):
    text = Text()
    path = written(ministack, echo, tmp_path)
    text.add("check", ran(tmp_path, environment, "check", "--connect", "--config", path))
    with running(path, environment) as daemon:
        bearer = {"Authorization": f"Bearer {CANARIES['api-token']}"}
        address = daemon.wait_for_log("api_listening")["address"]
        for name in ("s401", "s500", "bearer", "basic", "hmac", "sigv4", "here"):
            daemon.wait_for_log("batch_failed", mapping=name)
        for name in ("s429", "s503", "nowhere"):
            daemon.wait_for_log("function_not_invoked", mapping=name)
        for name in ("unsigned", "unsigned-by-the-sdk", "unassumed"):
            daemon.wait_for_log("source_unavailable", mapping=name)
        until(lambda: "s200" in daemon.get("/status", bearer)[1], "the status")
        for page in ("/status", "/metrics", "/healthz", "/readyz"):
            code, body = daemon.get(page, bearer)
            assert code == HTTPStatus.OK, page
            text.add(page, body)
            text.add(page, daemon.get(page, {"Authorization": f"Bearer {CANARIES['api-token']}x"})[1])
        text.add("status", ran(tmp_path, environment, "status", "s401", "--api", address, "--config", path))
        daemon.stop(hard=True)
        text.add("log", "".join(daemon.lines))
    for name in ("unsigned", "unassumed"):
        assert name in text.said["log"]
    assert "SignatureDoesNotMatch" in text.said["check"]
    assert text.found() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"api": {"token": [CANARIES["api-token"]]}},
        {"api": {"token": {CANARIES["api-token"]: "x"}}},
        {"api": {"token": 5}},
        {"api": {"token": CANARIES["api-token"], "tokne": CANARIES["api-token"]}},
        {"api": {"listen": "nowhere", "token": CANARIES["api-token"]}},
        {"api": CANARIES["api-token"]},
        {"aws": {"external_id": [CANARIES["role-external-id"]]}},
        {"aws": {"external_id": CANARIES["role-external-id"], "region": 7}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "headers": [CANARIES["header-text"]]}}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "headers": {"A B": CANARIES["header-text"]}}}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "headers": {"A": CANARIES["header-text"] + "\n"}}}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "headers": {"A": {"env": "HEADER", "x": "y"}}}}},
        {"functions": {"f": {"type": "http", "url": f"ftp://u:{CANARIES['header-text']}@h/"}}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "bearer_token": [CANARIES["bearer-token"]]}}},
        {"functions": {"f": {"type": "http", "url": "http://h/", "basic_auth": CANARIES["basic-password"]}}},
        {
            "functions": {
                "f": {"type": "http", "url": "http://h/", "hmac": {"secret": CANARIES["hmac-secret"], "header": ""}}
            }
        },
        {"functions": {"f": {"type": "lambda", "function_name": "f", "bearer_token": CANARIES["bearer-token"]}}},
        {"functions": {"f": {"type": "runtime", "environment": {"A": CANARIES["environment"], "B": 5, "C=": "x"}}}},
        {"functions": {"f": {"type": "runtime", "environment": CANARIES["environment"]}}},
        {"state": {"env": "HEADER"}},
        {"state": f"postgres://u:{CANARIES['header-text']}@h/db"},
        {"state": f"sqlite://u:{CANARIES['header-text']}@h/db"},
        {"api": {"listen": f"http://u:{CANARIES['header-text']}@h"}},
        {"aws": {"endpoint_url": f"//u:p@:{CANARIES['header-text']}@h"}},
        {"functions": {"f": {"type": "http", "url": f"http//u:{CANARIES['header-text']}@h/"}}},
        {"functions": {"f": {"type": "function_url", "url": f"postgres://{CANARIES['header-text']}@h/"}}},
        {"log": {"level": {"env": "HEADER"}}},
    ],
)
def test_no_secret_is_in_the_report_of_a_configuration_that_is_wrong(wrong, tmp_path, monkeypatch, capsys):
    path = configuration(tmp_path, **wrong)
    monkeypatch.setenv("HEADER", CANARIES["header-env"])
    with pytest.raises(SystemExit) as ended:
        main(["check", "--config", str(path)])
    assert ended.value.code == 2
    said = "".join(capsys.readouterr())
    assert f"{path}:" in said
    assert [name for name, value in CANARIES.items() if value in said] == [], said


def test_no_secret_is_in_the_traceback_of_a_bug(tmp_path):
    script = f"""
from poller.cli.main import app, main
from poller.configuration import AwsSettings, Secret

@app.command()
def fail():
    token, aws = Secret.text({CANARIES["api-token"]!r}), AwsSettings(external_id={CANARIES["role-external-id"]!r})
    raise KeyError(token, aws)

main(["fail"])
"""
    ended = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, check=False, cwd=CHECKOUT
    )
    assert ended.returncode == 70
    assert "KeyError" in ended.stderr
    assert [name for name, value in CANARIES.items() if value in ended.stderr] == []
