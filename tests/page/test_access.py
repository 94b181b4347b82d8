"""Who may look and who may steer, and every way in which a foreign page could try."""

import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from poller.daemon.api import page, sessions
from poller.daemon.api.page.html import safe, tag
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import Failure
from poller.policy.impacts import Batch
from poller.policy.redriving import Redriven, State
from poller.policy.waiting import Waiting
from poller.ports.elsewhere import Elsewhere
from poller.ports.status import LaneStatus, MappingState, PartitionStatus, Reason, ReasonCode
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping
from tests.daemon.test_server import TOKEN, serving

pytestmark = pytest.mark.real_time

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Content-Type": "application/json"}
READ = "look-only"
PAUSE = "/mappings/orders/pause"


@pytest.mark.parametrize("path", ["/", "/failures", "/actions", "/mappings/orders"])
async def test_a_browser_gets_a_screen_and_a_program_json_at_the_same_address(path):
    async with serving(a_daemon(a_mapping())) as ask:
        code, headers, text = await ask(path, **HTML)
        assert (code, headers["Content-Type"], headers["Vary"]) == (200, "text/html; charset=utf-8", "Accept, Cookie")
        assert text.startswith("<!doctype html><html")
        code, headers, text = await ask(path)
        assert (code, isinstance(json.loads(text), dict)) == (200, True)


async def test_every_screen_forbids_frames_and_everything_from_elsewhere():
    async with serving(a_daemon(a_mapping()), token=TOKEN) as ask:
        for path in ("/login", "/"):
            _, headers, _ = await ask(path, **HTML)
            policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
            assert policy.pop("default-src") == policy.pop("frame-ancestors") == policy.pop("base-uri") == "'none'"
            assert policy.pop("require-trusted-types-for") == "'script'"
            assert policy.pop("trusted-types") == "poller"
            assert set(policy.values()) == {"'self'"}
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Cache-Control"] == "no-store"


async def test_without_a_session_a_browser_is_sent_to_sign_in_and_a_program_refused():
    async with serving(a_daemon(a_mapping()), token=TOKEN) as ask:
        code, _, text = await ask("/mappings/orders", **HTML)
        assert (code, 'name="onward" value="/mappings/orders"' in text) == (200, True)
        assert (await ask("/mappings/orders"))[0] == 401
        assert (await ask("/page/live/mappings", Accept="text/event-stream"))[0] == 401
        for file in (resources.files(page) / "static").iterdir():
            code, headers, text = await ask(f"/page/{file.name}")
            assert (code, text, headers["X-Content-Type-Options"]) == (200, file.read_text(), "nosniff")


@pytest.mark.parametrize(
    ("cookie", "code"),
    [
        ("token", 200),
        ("read_token", 403),
        ("forged", 401),
        ("planted", 401),
        ("old", 401),
        ("other", 401),
        ("", 401),
    ],
)
async def test_only_a_session_that_was_made_here_counts_and_only_one_by_the_token_steers(cookie, code):
    mapping = a_mapping()
    made = sessions.make("token", TOKEN.read(), STARTED_AT)
    cookies = {
        "token": made,
        "read_token": sessions.make("read_token", READ, STARTED_AT),
        "forged": made[:-1] + ("0" if made[-1] != "0" else "1"),
        "planted": "token.99999999999.chosen.",
        "old": sessions.make("token", TOKEN.read(), STARTED_AT - sessions.SESSION_SECONDS),
        "other": sessions.make("token", "another token", STARTED_AT),
    }
    async with serving(a_daemon(mapping), token=TOKEN, read_token=READ) as ask:
        given = {"Cookie": f"{sessions.name(ask.port)}={cookies.get(cookie, '')}", "Origin": f"http://{ask.host}"}
        answered, _, _ = await ask(PAUSE, "POST", b"", **JSON, **given)
        assert (answered, mapping.state is MappingState.PAUSED) == (code, code == 200)
        looks = (await ask("/status", Cookie=given["Cookie"]))[0]
        assert looks == (200 if cookie in ("token", "read_token") else 401)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "OWN", "Sec-Fetch-Site": "same-site"},
        {"Origin": "OWN", "Content-Type": "text/plain"},
        {"Origin": "OWN", "Content-Type": "application/x-www-form-urlencoded"},
    ],
)
async def test_a_session_alone_orders_nothing(headers):
    mapping = a_mapping()
    async with serving(a_daemon(mapping), token=TOKEN) as ask:
        own = {key: value.replace("OWN", f"http://{ask.host}") for key, value in headers.items()}
        cookie = f"{sessions.name(ask.port)}={sessions.make('token', TOKEN.read(), STARTED_AT)}"
        code, _, _ = await ask(PAUSE, "POST", b"", **{**JSON, **own, "Cookie": cookie})
        assert (code in (403, 415), mapping.state) == (True, MappingState.RUNNING)


async def test_without_a_token_the_page_itself_may_steer_and_no_name_that_was_made_to_lead_here():
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        for host in ("evil.example", f"evil.example:{ask.port}"):
            rebound = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            assert (await ask(PAUSE, "POST", b"", **JSON, **rebound))[0] == 421
            assert (await ask("/", **HTML, Host=host))[0] == 421
        assert mapping.state is MappingState.RUNNING
        assert (await ask(PAUSE, "POST", b"", **JSON, Origin=f"http://{ask.host}"))[0] == 200


async def test_a_session_comes_in_a_cookie_that_no_script_reads_and_no_other_site_sends():
    async with serving(a_daemon(), token=TOKEN) as ask:
        code, headers, _ = await ask("/login", "POST", {"token": TOKEN.read()}, redirect=False)
        assert (code, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"))
        assert "Secure" not in cookie
        assert "s3cret" not in cookie
        _, again, _ = await ask(
            "/login", "POST", {"token": TOKEN.read()}, redirect=False, **{"X-Forwarded-Proto": "https"}
        )
        assert "Secure" in again["Set-Cookie"]
        assert again["Set-Cookie"].partition(";")[0] != cookie.partition(";")[0], "each is a new one"


@pytest.mark.parametrize(
    ("onward", "place"),
    [
        ("/mappings/orders", "/mappings/orders"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/mappings/x\r\nSet-Cookie: a=b", "/"),
    ],
)
async def test_signing_in_leads_nowhere_else(onward, place):
    async with serving(a_daemon(), token=TOKEN) as ask:
        _, headers, _ = await ask("/login", "POST", {"token": TOKEN.read(), "onward": onward}, redirect=False)
        assert headers["Location"] == place


@pytest.mark.parametrize("form", [{}, {"token": ""}, {"token": "wrong"}, {"token": READ + "x"}])
async def test_a_wrong_token_gives_no_session(form):
    async with serving(a_daemon(), token=TOKEN, read_token=READ) as ask:
        code, headers, text = await ask("/login", "POST", form, redirect=False)
        assert (code, "Set-Cookie" in headers, "not known" in text) == (403, False, True)


async def test_another_site_can_neither_sign_a_browser_in_nor_out():
    async with serving(a_daemon(), token=TOKEN) as ask:
        for path in ("/login", "/logout"):
            code, headers, _ = await ask(path, "POST", {"token": TOKEN.read()}, Origin="http://evil.example")
            assert (code, "Set-Cookie" in headers) == (403, False)


async def test_where_no_token_is_asked_for_there_is_nothing_to_sign_in_to():
    async with serving(a_daemon()) as ask:
        for method in ("GET", "POST"):
            code, headers, _ = await ask("/login", method, redirect=False)
            assert (code, headers["Location"]) == (303, "/")


async def test_the_read_token_reads_and_steers_nothing_and_neither_does_a_token_without_that_scope():
    mapping = a_mapping()
    async with serving(a_daemon(mapping), token=TOKEN, read_token=READ, token_scopes=["read"]) as ask:
        for token in (READ, TOKEN.read()):
            given = {"Authorization": f"Bearer {token}"}
            assert (await ask("/status", **given))[0] == 200
            code, _, text = await ask(PAUSE, "POST", b"", **JSON, **given)
            assert (code, "only reads" in text) == (403, True)
        assert mapping.state is MappingState.RUNNING


HOSTILE = "<img src=x onerror=alert(1)>\"'`</td></script><script>\u202e\x1b[2J"


def untellable():
    raise KeyError(HOSTILE)


KNOWN = re.compile(
    r"data-[a-z-]+|aria-[a-z]+|id|class|href|scope|colspan|type|role|tabindex|lang|charset|name|content|rel"
    r"|src|datetime|viewbox|focusable|points|method|action|value|maxlength|autocomplete|formnovalidate"
    r"|hidden|list|placeholder|min|max|step"
)


class Elements(HTMLParser):
    """The elements and attributes of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.said = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.said += data


async def test_what_others_say_stays_text_on_every_screen():
    lane = LaneStatus(ReasonCode.RETRY, HOSTILE, since=100.0, next_try=120.0)
    shard = PartitionStatus(HOSTILE, position=HOSTILE, lanes=[lane])
    mapping = a_mapping(HOSTILE, function=HOSTILE, event_source_arn=HOSTILE, partitions=[shard], uuid=HOSTILE)
    mapping.failures.add(Failure(HOSTILE, HOSTILE, 2, 2, HOSTILE, HOSTILE), HOSTILE, 100.0)
    batch = Batch(HOSTILE + HOSTILE, 0, 2, HOSTILE, HOSTILE, HOSTILE, discards=True, awaiting=False, seconds=None)
    there = Waiting(batch, HOSTILE, HOSTILE, keys=((HOSTILE, 1),))
    broken = a_mapping(
        "broken",
        uuid="b",
        state=MappingState.PROBLEM,
        reason=Reason(ReasonCode.ERROR, HOSTILE),
        partitions=[PartitionStatus(HOSTILE)],
        elsewhere=[Elsewhere(HOSTILE, HOSTILE, 1e12, [there], 1)],
        destination=HOSTILE,
        looks=True,
        seeks=True,
    )
    failed = (HOSTILE,)
    redriven = Redriven(HOSTILE, "b", HOSTILE, "source", 1.0, 1.0, 1, state=State.STOPPED, why=HOSTILE, failures=failed)
    untold = a_mapping("untold", uuid="u", lag=untellable)
    event = FailedEvent(HOSTILE, STARTED_AT, "b", HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, 1)
    async with serving(a_daemon(mapping, broken, untold), events=[event], redriven=[redriven]) as ask:
        await ask("/mappings/broken/pause", "POST", json.dumps({"who": HOSTILE, "why": HOSTILE}).encode(), **JSON)
        for path in (
            "/",
            "/failures",
            "/actions",
            "/mappings/broken",
            "/mappings/untold",
            "/login?onward=" + "%22%3Cimg",
        ):
            code, _, text = await ask(path, **HTML)
            found = Elements()
            found.feed(text)
            assert code == 200
            assert found.tags.isdisjoint({"img", "iframe", "object", "embed", "style"})
            assert text.count("<script") == 1
            assert [name for name in found.attributes if not KNOWN.fullmatch(name)] == []
            assert not re.search("[\x1b\u202e]", text)
            if path == "/mappings/broken":
                assert all(f'id="{name}"' in text for name in ("peek", "redrive", "seek", "shards", "redrives"))


def test_texts_are_escaped_and_attributes_quoted():
    assert tag("a", "<b>", title='"x', hidden=True, href=None, data_x=False) == (
        '<a title="&quot;x" hidden>&lt;b&gt;</a>'
    )
    assert safe("a\u202eb") == "a\\u202eb"
