-- The event model: what every source is turned into. Times are whole seconds since 1970, UTC. An actor is a login as
-- the forge writes it; NULL is a deleted account. A person of git is an id that never shows an address.
CREATE TABLE items (
  project VARCHAR NOT NULL, kind VARCHAR NOT NULL, number BIGINT NOT NULL, actor VARCHAR, association VARCHAR NOT NULL,
  stamp BIGINT NOT NULL, closed_at BIGINT, merged_at BIGINT, merged_by VARCHAR, title VARCHAR NOT NULL, url VARCHAR NOT NULL
);
CREATE TABLE actions (
  project VARCHAR NOT NULL, kind VARCHAR NOT NULL, item_kind VARCHAR NOT NULL, number BIGINT NOT NULL, actor VARCHAR,
  association VARCHAR NOT NULL, stamp BIGINT NOT NULL, state VARCHAR NOT NULL
);
CREATE TABLE commits (
  project VARCHAR NOT NULL, sha VARCHAR NOT NULL, parents INTEGER NOT NULL, stamp BIGINT NOT NULL, author VARCHAR NOT NULL,
  bot BOOLEAN NOT NULL, web BOOLEAN NOT NULL
);
CREATE TABLE coauthors (project VARCHAR NOT NULL, sha VARCHAR NOT NULL, author VARCHAR NOT NULL, bot BOOLEAN NOT NULL);
CREATE TABLE tags (project VARCHAR NOT NULL, name VARCHAR NOT NULL, stamp BIGINT NOT NULL);
CREATE TABLE owner_versions (
  project VARCHAR NOT NULL, path VARCHAR NOT NULL, position BIGINT NOT NULL, stamp BIGINT NOT NULL, deleted BOOLEAN NOT NULL
);
CREATE TABLE owner_names (project VARCHAR NOT NULL, path VARCHAR NOT NULL, position BIGINT NOT NULL, actor VARCHAR NOT NULL);
CREATE TABLE bots (project VARCHAR NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR NOT NULL);
CREATE TABLE domains (project VARCHAR NOT NULL, author VARCHAR NOT NULL, domain VARCHAR NOT NULL);
