"""The tables: made where there are none, and judged where there are. Only ever added to, so that versions may differ.

A later version may add columns with a default, and tables. It raises `version`; it raises `oldest` only where programs
of a lower version must not write any more.
"""

from typing import LiteralString

from poller.state.postgresql.connections import Connections
from poller.state.postgresql.url import user
from poller.values.errors import EnvironmentProblem

VERSION = 1
MARKED = "poller_schema"
"""The table that says whose they are."""
TABLES: dict[str, tuple[str, ...]] = {
    MARKED: ("program", "version", "oldest"),
    "poller_members": ("fleet", "id", "beat", "state", "news", "facts"),
    "poller_mappings": ("fleet", "uuid", "name", "arn", "epoch", "start"),
    "poller_shards": ("fleet", "uuid", "shard", "owner", "fence", "version", "next", "initial", "finished", "progress"),
    "poller_pauses": ("fleet", "uuid", "since", "name"),
    "poller_actions": ("fleet", "id", "at", "action"),
    "poller_made_mappings": ("fleet", "uuid", "revision", "document"),
    "poller_kept": ("fleet", "room", "id", "at", "about", "body"),
}
"""With the columns that this version reads and writes."""
STATEMENTS: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS poller_schema (
    program text NOT NULL PRIMARY KEY, version integer NOT NULL, oldest integer NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS poller_members (
    fleet text NOT NULL, id text NOT NULL, beat bigint NOT NULL, state text NOT NULL, news bigint NOT NULL,
    facts text NOT NULL, PRIMARY KEY (fleet, id)) WITH (fillfactor = 70)""",
    """CREATE TABLE IF NOT EXISTS poller_mappings (
    fleet text NOT NULL, uuid text NOT NULL, name text NOT NULL, arn text NOT NULL, epoch text NOT NULL,
    start double precision, PRIMARY KEY (fleet, uuid))""",
    """CREATE TABLE IF NOT EXISTS poller_shards (
    fleet text NOT NULL, uuid text NOT NULL, shard text NOT NULL, owner text, fence bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0, next text, initial boolean NOT NULL DEFAULT false,
    finished boolean NOT NULL DEFAULT false, progress text, PRIMARY KEY (fleet, uuid, shard)) WITH (fillfactor = 70)""",
    """CREATE TABLE IF NOT EXISTS poller_pauses (
    fleet text NOT NULL, uuid text NOT NULL, since double precision NOT NULL, name text, PRIMARY KEY (fleet, uuid))""",
    """CREATE TABLE IF NOT EXISTS poller_actions (
    fleet text NOT NULL, id text NOT NULL, at double precision NOT NULL, action text NOT NULL,
    PRIMARY KEY (fleet, id))""",
    """CREATE TABLE IF NOT EXISTS poller_made_mappings (
    fleet text NOT NULL, uuid text NOT NULL, revision bigint NOT NULL, document text NOT NULL,
    PRIMARY KEY (fleet, uuid))""",
    """CREATE TABLE IF NOT EXISTS poller_kept (
    fleet text NOT NULL, room text NOT NULL, id text NOT NULL, at double precision NOT NULL, about text NOT NULL,
    body text NOT NULL, PRIMARY KEY (fleet, room, id))""",
    "INSERT INTO poller_schema (program, version, oldest) VALUES ('poller', 1, 1) ON CONFLICT DO NOTHING",
)
"""What makes the tables. Updates of a shard's row touch no index, and find room on its page."""
MAKE: LiteralString = ";\n".join(STATEMENTS)
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(8098988, 1);\n"
"""Of several that find an empty database, one makes the tables. For the transaction alone: a pooler may be between."""

_SERVER: LiteralString = """SELECT pg_is_in_recovery(), current_setting('synchronous_commit'),
    current_setting('transaction_read_only') = 'on', current_user, current_schema()"""
_COLUMNS: LiteralString = """SELECT c.relname, a.attname, has_table_privilege(c.oid, 'SELECT')
    AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
    AND has_table_privilege(c.oid, 'DELETE')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS t(name))"""


def script(url: str) -> str:
    """The statements that make the tables, and that let the role of the URL use them, for the owner of the schema."""
    role = user(url) or "poller"
    grants = f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(TABLES)} TO "{role}"'
    return "".join(f"{statement};\n" for statement in (*STATEMENTS, grants))


async def prepare(connections: Connections, *, make: bool = True) -> bool:
    """See that the database can be used, and make the tables where there are none. Returns whether they are there,
    which only without `make` they need not be. Raises StateError, and EnvironmentProblem for what a person must change.
    """
    [(standby, commit, read_only, role, schema)] = await connections.rows(_SERVER)
    where = connections.where
    if standby or read_only:
        raise EnvironmentProblem(
            f"the store {where} can only be read, as a standby can; name the primary, or all hosts and "
            "?target_session_attrs=read-write"
        )
    if commit == "off":
        raise EnvironmentProblem(
            f"the store {where} acknowledges what a crash of its server takes back; run "
            f"ALTER ROLE {role} SET synchronous_commit = on"
        )
    if await _judged(connections, str(role)):
        return True
    if not make:
        return False
    if schema is None:
        raise EnvironmentProblem(f"the store {where} has no schema for its tables; create the one in search_path")
    await connections.rows(_LOCK + MAKE)
    return await _judged(connections, str(role))


async def _judged(connections: Connections, role: str) -> bool:
    """Whether the tables are there. Raises EnvironmentProblem where they are not this program's, or of no use to it."""
    where = connections.where
    found: dict[str, dict[str, bool]] = {}
    for table, column, allowed in await connections.rows(_COLUMNS, {"tables": list(TABLES)}):
        found.setdefault(table, {})[column] = allowed
    if not found:
        return False
    # a table that a later version has added is made, where the others are known to be this program's
    lacking = [table for table in TABLES if table not in found] if MARKED in found else []
    missing = [
        f"{table}.{column}"
        for table in TABLES
        for column in TABLES[table]
        if column not in found.get(table, {}) and table not in lacking
    ]
    if missing:
        raise EnvironmentProblem(
            f"the store {where} holds tables that are not poller's, or were made in part: {', '.join(missing[:5])} "
            "is missing; give `state` another database, or another schema by ?options=-csearch_path=NAME"
        )
    refused = [table for table in found if not all(found[table].values())]
    if refused:
        raise EnvironmentProblem(
            f"the store {where}: the role {role} may not use its tables; run "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(refused)} TO {role}"
        )
    rows = await connections.rows("SELECT version, oldest FROM poller_schema WHERE program = 'poller'")
    if not rows or lacking:
        return False
    [(version, oldest)] = rows
    if oldest > VERSION:
        raise EnvironmentProblem(
            f"the store {where} was made by a newer poller (schema {version}, for versions from {oldest} on; this one "
            f"is {VERSION}); run that version, or give `state` another database"
        )
    return True
