"""The tables of the state file, and what later versions added to them."""

COLUMNS = {
    "mappings": ("uuid", "name", "event_source_arn", "epoch", "start"),
    "shards": ("uuid", "shard", "initial", "finished", "start"),
    "lanes": ("uuid", "shard", "lane", "position", "retry", "window"),
    "paused": ("uuid", "since", "name"),
    "actions": ("id", "at", "text"),
    "made_mappings": ("uuid", "revision", "document"),
    "kept": ("room", "id", "at", "about", "body"),
}
"""Columns of each table, without the checksum of their values."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS mappings (
    uuid TEXT PRIMARY KEY, name TEXT NOT NULL, event_source_arn TEXT NOT NULL, epoch TEXT NOT NULL, start REAL,
    checksum INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
    uuid TEXT NOT NULL, shard TEXT NOT NULL, initial INTEGER NOT NULL, finished INTEGER NOT NULL, start TEXT,
    checksum INTEGER,
    PRIMARY KEY (uuid, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lanes (
    uuid TEXT NOT NULL, shard TEXT NOT NULL, lane INTEGER NOT NULL, position TEXT, retry TEXT, window TEXT,
    checksum INTEGER,
    PRIMARY KEY (uuid, shard, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paused (
    uuid TEXT PRIMARY KEY, since REAL NOT NULL, name TEXT, checksum INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS actions (
    id TEXT PRIMARY KEY, at REAL NOT NULL, text TEXT NOT NULL, checksum INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_mappings (
    uuid TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL, checksum INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    room TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, about TEXT NOT NULL, body TEXT NOT NULL, checksum INTEGER,
    PRIMARY KEY (room, id)
) STRICT;
"""
ADDED = {"lanes": ("window",), "paused": ("name",), "shards": ("start",)}
"""Columns of a later schema. The checksum covers them."""
AFTER_CHECKSUM = {"shards"}
"""Tables whose last column is younger than the checksum, which covers it only where it has a value."""
TABLES = ("lanes", "shards", "mappings")
"""The tables of positions. A mapping's pause is kept after its position is deleted."""
