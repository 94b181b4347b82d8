"""Every statement on the rows of a fleet. Each is one conditional write, or one read, and may be sent again.

Who changes what others wait for tells them: NOTIFY, with the name of the fleet, on the channel `poller`, or on
`poller_facts` where only the facts of a member have changed.
"""

# ruff: noqa: S608  (only constants of this file are put together)

from typing import LiteralString

CHANGED: LiteralString = "poller"
TOLD: LiteralString = "poller_facts"
LISTEN: LiteralString = f"LISTEN {CHANGED}; LISTEN {TOLD}"
_TOLD: LiteralString = f"pg_notify('{CHANGED}', %(fleet)s)"
_ROW: LiteralString = "fleet = %(fleet)s AND uuid = %(uuid)s"
_MEMBER: LiteralString = "fleet = %(fleet)s AND id = %(member)s"
_SHARD: LiteralString = f"s.{_ROW} AND s.shard = %(shard)s"

# members

JOIN: LiteralString = f"""INSERT INTO poller_members (fleet, id, beat, state, news, facts)
VALUES (%(fleet)s, %(member)s, 0, %(state)s, 0, %(facts)s) ON CONFLICT DO NOTHING RETURNING {_TOLD}"""
BEAT: LiteralString = f"""UPDATE poller_members SET beat = %(beat)s, state = %(state)s, news = %(news)s,
    facts = coalesce(%(facts)s, facts)
WHERE {_MEMBER} AND state <> 'dead' AND beat < %(beat)s
RETURNING CASE WHEN %(facts)s::text IS NOT NULL THEN pg_notify('{TOLD}', %(fleet)s) END"""
BURY: LiteralString = f"""UPDATE poller_members SET state = 'dead'
WHERE {_MEMBER} AND state <> 'dead' AND beat = %(seen)s RETURNING {_TOLD}"""
LEAVE: LiteralString = f"""UPDATE poller_members SET state = 'dead'
WHERE {_MEMBER} AND state <> 'dead' RETURNING {_TOLD}"""
STATE_OF: LiteralString = f"SELECT state FROM poller_members WHERE {_MEMBER}"
MEMBERS: LiteralString = "SELECT id, beat, state, news, facts FROM poller_members WHERE fleet = %(fleet)s"
SWEEP: LiteralString = """DELETE FROM poller_members
WHERE fleet = %(fleet)s AND state = 'dead' AND id = ANY (%(members)s::text[])"""

# shards

LEASES: LiteralString = f"SELECT shard, owner, fence, version, next, finished FROM poller_shards WHERE {_ROW}"
_CLAIMED: LiteralString = "s.fence, s.initial, s.finished, s.progress"
_TAKE: LiteralString = """SET owner = %(member)s, fence = s.fence + 1, version = 0, next = NULL
WHERE s.owner IS NOT DISTINCT FROM %(owner)s AND s.fence = %(fence)s AND NOT s.finished"""
CLAIM_NEW: LiteralString = f"""INSERT INTO poller_shards AS s (fleet, uuid, shard, owner, fence)
VALUES (%(fleet)s, %(uuid)s, %(shard)s, %(member)s, 1)
ON CONFLICT (fleet, uuid, shard) DO UPDATE {_TAKE} RETURNING {_CLAIMED}, {_TOLD}"""
CLAIM: LiteralString = f"UPDATE poller_shards s {_TAKE} AND {_SHARD} RETURNING {_CLAIMED}, {_TOLD}"
CLAIMED: LiteralString = f"""SELECT {_CLAIMED} FROM poller_shards s WHERE {_SHARD} AND s.owner = %(member)s
    AND s.fence = %(fence)s + 1 AND s.version = 0 AND NOT s.finished"""
_CHANGES: LiteralString = """unnest(%(uuids)s::text[], %(shards)s::text[], %(fences)s::bigint[], %(versions)s::bigint[],
    %(progress)s::text[], %(initial)s::boolean[], %(finished)s::boolean[], %(ends)s::boolean[], %(next)s::text[])
    AS c(uuid, shard, fence, version, progress, initial, finished, ends, next)"""
WRITE: LiteralString = f"""UPDATE poller_shards s SET version = c.version, next = c.next,
    owner = CASE WHEN c.ends THEN NULL ELSE s.owner END, finished = c.finished,
    progress = coalesce(c.progress, s.progress), initial = coalesce(c.initial, s.initial)
FROM {_CHANGES}
WHERE s.fleet = %(fleet)s AND s.uuid = c.uuid AND s.shard = c.shard
    AND s.owner = %(member)s AND s.fence = c.fence AND s.version < c.version
    AND EXISTS (SELECT FROM poller_mappings m WHERE m.fleet = %(fleet)s AND m.uuid = c.uuid)
RETURNING s.uuid, s.shard, CASE WHEN c.ends THEN {_TOLD} END"""
"""All shards of one turn. What is not returned is lost, or was stored before."""
READ_BACK: LiteralString = """SELECT s.uuid, s.shard, s.owner, s.fence, s.version, s.next, s.finished
FROM unnest(%(uuids)s::text[], %(shards)s::text[]) AS c(uuid, shard)
JOIN poller_shards s ON s.fleet = %(fleet)s AND s.uuid = c.uuid AND s.shard = c.shard
WHERE EXISTS (SELECT FROM poller_mappings m WHERE m.fleet = %(fleet)s AND m.uuid = c.uuid)"""

# mappings

# each write of the row gives it another xmin
LOAD: LiteralString = f"SELECT name, arn, epoch, start, xmin::text FROM poller_mappings WHERE {_ROW}"
LOAD_SHARDS: LiteralString = f"""SELECT shard, initial, finished, progress FROM poller_shards
WHERE {_ROW} AND progress IS NOT NULL"""
OPEN: LiteralString = f"""WITH living AS MATERIALIZED (
    SELECT id FROM poller_members WHERE {_MEMBER} AND state <> 'dead' FOR SHARE),
opened AS (
    INSERT INTO poller_mappings AS m (fleet, uuid, name, arn, epoch, start)
    SELECT %(fleet)s, %(uuid)s, %(name)s, %(arn)s, %(epoch)s, %(start)s
    WHERE %(member)s::text IS NULL OR EXISTS (SELECT FROM living)
    ON CONFLICT (fleet, uuid) DO UPDATE
        SET name = excluded.name, arn = excluded.arn, epoch = excluded.epoch, start = excluded.start
        WHERE m.arn = %(old_arn)s AND m.epoch = %(old_epoch)s
            AND m.xmin::text = coalesce(%(opening)s, m.xmin::text)
    RETURNING m.uuid),
kept AS (
    UPDATE poller_shards s SET owner = NULL, fence = s.fence + 1, version = 0, next = NULL, initial = false,
        finished = false, progress = NULL
    FROM opened WHERE s.fleet = %(fleet)s AND s.uuid = opened.uuid AND s.shard <> ALL (%(shards)s::text[])),
first AS (
    INSERT INTO poller_shards AS s (fleet, uuid, shard, initial, finished, progress)
    SELECT %(fleet)s, opened.uuid, c.shard, c.initial, c.finished, c.progress
    FROM opened, unnest(%(shards)s::text[], %(initial)s::boolean[], %(finished)s::boolean[], %(progress)s::text[])
        AS c(shard, initial, finished, progress)
    ON CONFLICT (fleet, uuid, shard) DO UPDATE SET owner = NULL, fence = s.fence + 1, version = 0, next = NULL,
        initial = excluded.initial, finished = excluded.finished, progress = excluded.progress)
SELECT {_TOLD} FROM opened"""
DROP: LiteralString = f"DELETE FROM poller_shards WHERE {_ROW} AND finished AND shard = ANY (%(shards)s::text[])"
STORED: LiteralString = "SELECT uuid, name, arn FROM poller_mappings WHERE fleet = %(fleet)s ORDER BY name"
FORGET: LiteralString = f"""WITH mapping AS (DELETE FROM poller_mappings WHERE {_ROW}),
shards AS (DELETE FROM poller_shards WHERE {_ROW})
SELECT {_TOLD}"""
PAUSED: LiteralString = "SELECT uuid, since, name FROM poller_pauses WHERE fleet = %(fleet)s"
PAUSE: LiteralString = f"""INSERT INTO poller_pauses (fleet, uuid, since, name)
VALUES (%(fleet)s, %(uuid)s, %(since)s, %(name)s)
ON CONFLICT (fleet, uuid) DO UPDATE SET since = excluded.since, name = excluded.name RETURNING {_TOLD}"""
RESUME: LiteralString = f"DELETE FROM poller_pauses WHERE {_ROW} RETURNING {_TOLD}"
NOTE: LiteralString = """INSERT INTO poller_actions (fleet, id, at, action)
VALUES (%(fleet)s, %(id)s, %(at)s, %(action)s) ON CONFLICT (fleet, id) DO UPDATE SET action = excluded.action"""
FORGET_ACTIONS: LiteralString = """DELETE FROM poller_actions WHERE fleet = %(fleet)s AND id NOT IN
    (SELECT id FROM poller_actions WHERE fleet = %(fleet)s ORDER BY at DESC, id DESC LIMIT %(most)s)"""
ACTIONS: LiteralString = """SELECT action FROM poller_actions
WHERE fleet = %(fleet)s ORDER BY at DESC, id DESC"""

# what is kept for people

KEEP: LiteralString = """INSERT INTO poller_kept (fleet, room, id, at, about, body)
VALUES (%(fleet)s, %(room)s, %(id)s, %(at)s, %(about)s, %(body)s)
ON CONFLICT (fleet, room, id) DO UPDATE SET at = excluded.at, about = excluded.about, body = excluded.body"""
KEPT: LiteralString = """SELECT room, id, at, about FROM poller_kept WHERE fleet = %(fleet)s AND room = %(room)s
ORDER BY at DESC, id DESC"""
KEPT_ONE: LiteralString = """SELECT room, id, at, about, body FROM poller_kept
WHERE fleet = %(fleet)s AND room = %(room)s AND id = %(id)s"""
LET_GO: LiteralString = """DELETE FROM poller_kept
WHERE fleet = %(fleet)s AND room = %(room)s AND id = ANY (%(ids)s::text[])"""

# mappings made through Lambda's API

_SAME: LiteralString = "m.revision = %(revision)s AND m.document = %(document)s"
MADE: LiteralString = "SELECT uuid, revision, document FROM poller_made_mappings WHERE fleet = %(fleet)s"
MADE_VERSION: LiteralString = """SELECT coalesce(
    encode(sha256(convert_to(string_agg(uuid || ':' || revision, ',' ORDER BY uuid), 'UTF8')), 'hex'), '')
FROM poller_made_mappings WHERE fleet = %(fleet)s"""
MADE_FIRST: LiteralString = f"""INSERT INTO poller_made_mappings AS m (fleet, uuid, revision, document)
VALUES (%(fleet)s, %(uuid)s, %(revision)s, %(document)s)
ON CONFLICT (fleet, uuid) DO UPDATE SET document = excluded.document WHERE {_SAME} RETURNING {_TOLD}"""
MADE_NEXT: LiteralString = f"""UPDATE poller_made_mappings m SET revision = %(revision)s, document = %(document)s
WHERE {_ROW} AND (m.revision = %(revision)s - 1 OR {_SAME}) RETURNING {_TOLD}"""
MADE_NO_MORE: LiteralString = f"DELETE FROM poller_made_mappings WHERE {_ROW} RETURNING {_TOLD}"
