"""URLs of PostgreSQL: which are taken, and how they are shown. They may hold a password, which is never repeated."""

from urllib.parse import parse_qsl, unquote, urlsplit

from poller.support.extras import how_to_install, is_installed

SCHEME = "postgresql"
FORM = "postgresql://USER@HOST:PORT/DATABASE"
PARAMETERS = frozenset(
    {"application_name", "channel_binding", "gssencmode", "host", "hostaddr", "keepalives", "keepalives_count"}
    | {"keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "options", "passfile", "password"}
    | {"port", "require_auth", "service", "sslcert", "sslcrl", "sslkey", "sslmode", "sslpassword", "sslrootcert"}
    | {"sslnegotiation", "ssl_max_protocol_version", "ssl_min_protocol_version", "target_session_attrs"}
    | {"tcp_user_timeout", "user", "dbname"}
)
"""Parameters of libpq that a URL may hold. `connect_timeout` is the store's own."""


def check(url: str) -> bool:
    """Whether a URL has a form of PostgreSQL's. Raises ValueError for a more precise reason. Nothing of the URL is in
    the reason: where it is not well formed, any part may be the password.
    """
    if not url.startswith(f"{SCHEME}://"):
        return False
    try:
        parts = urlsplit(url)
        named = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_not_one()) from None
    if parts.fragment or "/" in parts.path[1:] or "@" in parts.path or not all(map(_is_host, _hosts(parts.netloc))):
        raise ValueError(_not_one())
    unknown = sorted({name for name, _ in named} - PARAMETERS)
    if unknown:
        raise ValueError(
            f"has parameters that are not taken: {', '.join(unknown)}; those of libpq are, but for connect_timeout"
        )
    if not is_installed(SCHEME):
        raise ValueError(f"is in PostgreSQL, which needs its driver: {how_to_install(SCHEME)}")
    return True


def _not_one() -> str:
    return (
        f"is no URL of PostgreSQL: {FORM}, with parameters of libpq after a question mark; write % and two digits for "
        "each of / ? # @ : in a user or password, or give the password by PGPASSWORD or a passfile"
    )


def _hosts(netloc: str) -> list[str]:
    return netloc.rpartition("@")[2].split(",")


def _is_host(host: str) -> bool:
    """Whether the port is a number, and a colon stands only before it."""
    if host.startswith("["):
        host = host.partition("]")[2]
    name, _, port = host.partition(":")
    return "@" not in name and (port.isdecimal() or ":" not in host)


def shown(url: str) -> str:
    """The URL for people: hosts and database alone."""
    parts = urlsplit(url)
    return f"{SCHEME}://{','.join(_hosts(parts.netloc))}{parts.path}"


def user(url: str) -> str | None:
    """The role of the URL, where it names one."""
    parts = urlsplit(url)
    name = dict(parse_qsl(parts.query)).get("user") or unquote(parts.username or "")
    return name.replace('"', '""') or None
