"""The frame of every screen: head, navigation, the dialog in which an order is confirmed, and the security headers."""

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from poller.daemon.api.access import BY_SESSION, ROLE, Role
from poller.daemon.api.fleet import fleet_words
from poller.daemon.api.page.html import Markup, join, tag, void
from poller.ports.daemon_status import DaemonStatus

STYLE, SCRIPT, ICON = "/page/poller.css", "/page/poller.js", "/page/icon.svg"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types poller"
)
"""Nothing from elsewhere, nothing inline, in no frame; and markup reaches the document in one place of the script."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie",
}
STATUS = web.AppKey("status", DaemonStatus)
"""Of the daemon whose screens these are."""
PLACES = (("/", "Mappings"), ("/failures", "Failures"), ("/actions", "Actions"))


def answer(html: Markup, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """A whole document."""
    return web.Response(
        text=f"<!doctype html>{html}", content_type="text/html", charset="utf-8", status=status, headers=HEADERS
    )


def document(
    title: str,
    body: Markup,
    request: web.Request,
    now: float,
    *,
    here: str = "",
    live: str | None = None,
    functions: Sequence[str] = (),
) -> Markup:
    """A screen. `now` is the daemon's time, from which the script counts; `here` its place in the navigation, `live`
    where its events come from, `functions` those that an order may name.
    """
    links = [
        tag("li", tag("a", name, href=place, aria_current="page" if place == here else None)) for place, name in PLACES
    ]
    steers = request[ROLE] is Role.STEER
    role = None if steers else tag("span", "look only", title="This token may look, and give no orders", class_="quiet")
    out = tag("form", tag("button", "Sign out"), method="post", action="/logout") if request[BY_SESSION] else None
    status = tag("span", "", id="live", role="status", class_="quiet") if live else None
    head = tag(
        "header", tag("a", "Skip to content", href="#main", class_="skip"), tag("strong", "poller"),
        tag("span", own, id="daemon") if (own := fleet_words(request.app[STATUS].fleet)) else None,
        tag("nav", tag("ul", *links), aria_label="Screens"), status, role, out,
    )  # fmt: skip
    main = tag("main", tag("h1", title), body, id="main", tabindex="-1", data_live=live, data_now=f"{now:.3f}")
    said = tag("p", "", id="said", role="status", aria_live="polite", class_="hidden")
    done = tag("p", "", id="done")
    return _html(title, join(head, main, said, join(done, _dialog(functions)) if live and steers else None))


def plain(title: str, body: Markup) -> Markup:
    """A screen without navigation, for those who may see nothing yet."""
    return _html(title, tag("main", tag("h1", title), body, id="main", class_="narrow"))


def _html(title: str, body: Markup) -> Markup:
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} - poller"),
        void("link", rel="stylesheet", href=STYLE),
        void("link", rel="icon", href=ICON),
        Markup(f'<script src="{SCRIPT}" type="module"></script>'),
    )
    return tag("html", head, tag("body", body), lang="en")


def _dialog(functions: Sequence[str]) -> Markup:
    """Where an order shows its impact before it is given."""
    options = [tag("option", name, value=name) for name in functions]
    choice = tag("select", tag("option", value=""), *options, id="function")
    why = tag(
        "label", "Why, for the action log (optional) ", void("input", id="why", maxlength="500", autocomplete="off")
    )
    who = tag("label", "Your name (optional) ", void("input", id="who", maxlength="100", autocomplete="name"))
    return tag(
        "dialog",
        tag(
            "form",
            tag("h2", "", id="order-title"),
            tag("label", "Function ", choice, id="ask", hidden=True),
            tag("ul", "", id="impact"),
            tag("p", "", id="refusal", role="alert", class_="error"),
            tag("div", why, who, id="by"),
            tag(
                "div",
                tag("button", "Cancel", id="cancel", value="cancel", type="submit", formnovalidate=True),
                tag("button", "Do it", id="confirm", type="button", class_="main"),
                class_="buttons",
            ),
            method="dialog",
        ),
        id="dialog",
        aria_labelledby="order-title",
    )


def login(problem: str | None, onward: str) -> Markup:
    """The form that asks for the token."""
    form = tag(
        "form",
        tag("p", problem, role="alert", class_="error") if problem else None,
        void("input", type="hidden", name="onward", value=onward),
        tag(
            "label",
            "Token (api.token, or api.read_token to look only) ",
            void(
                "input", type="password", name="token", required=True, autocomplete="current-password", autofocus=True
            ),
        ),
        tag("div", tag("button", "Sign in", class_="main"), class_="buttons"),
        method="post",
        action="/login",
    )
    return plain("Sign in", form)
