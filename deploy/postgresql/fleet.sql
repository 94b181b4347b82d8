CREATE TABLE IF NOT EXISTS poller_schema (
    program text NOT NULL PRIMARY KEY, version integer NOT NULL, oldest integer NOT NULL);
CREATE TABLE IF NOT EXISTS poller_members (
    fleet text NOT NULL, id text NOT NULL, beat bigint NOT NULL, state text NOT NULL, news bigint NOT NULL,
    facts text NOT NULL, PRIMARY KEY (fleet, id)) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS poller_mappings (
    fleet text NOT NULL, uuid text NOT NULL, name text NOT NULL, arn text NOT NULL, epoch text NOT NULL,
    start double precision, PRIMARY KEY (fleet, uuid));
CREATE TABLE IF NOT EXISTS poller_shards (
    fleet text NOT NULL, uuid text NOT NULL, shard text NOT NULL, owner text, fence bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0, next text, initial boolean NOT NULL DEFAULT false,
    finished boolean NOT NULL DEFAULT false, progress text, PRIMARY KEY (fleet, uuid, shard)) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS poller_pauses (
    fleet text NOT NULL, uuid text NOT NULL, since double precision NOT NULL, name text, PRIMARY KEY (fleet, uuid));
CREATE TABLE IF NOT EXISTS poller_actions (
    fleet text NOT NULL, id text NOT NULL, at double precision NOT NULL, action text NOT NULL,
    PRIMARY KEY (fleet, id));
CREATE TABLE IF NOT EXISTS poller_made_mappings (
    fleet text NOT NULL, uuid text NOT NULL, revision bigint NOT NULL, document text NOT NULL,
    PRIMARY KEY (fleet, uuid));
CREATE TABLE IF NOT EXISTS poller_kept (
    fleet text NOT NULL, room text NOT NULL, id text NOT NULL, at double precision NOT NULL, about text NOT NULL,
    body text NOT NULL, PRIMARY KEY (fleet, room, id));
INSERT INTO poller_schema (program, version, oldest) VALUES ('poller', 1, 1) ON CONFLICT DO NOTHING;
GRANT SELECT, INSERT, UPDATE, DELETE ON poller_schema, poller_members, poller_mappings, poller_shards, poller_pauses, poller_actions, poller_made_mappings, poller_kept TO "poller";
