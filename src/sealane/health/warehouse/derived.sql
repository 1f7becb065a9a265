-- What metrics read: events of people, with bots set apart once and for all metrics alike.
CREATE OR REPLACE VIEW marked_items AS
  SELECT i.*, b.actor IS NOT NULL AS bot FROM items AS i LEFT JOIN bots AS b ON b.project = i.project AND b.actor = i.actor;
CREATE OR REPLACE VIEW marked_actions AS
  SELECT a.*, b.actor IS NOT NULL AS bot FROM actions AS a LEFT JOIN bots AS b ON b.project = a.project AND b.actor = a.actor;
CREATE OR REPLACE VIEW human_items AS SELECT * FROM marked_items WHERE NOT bot;
CREATE OR REPLACE VIEW human_actions AS SELECT * FROM marked_actions WHERE NOT bot;
-- Who merged what: own is 1 where people merged their own pull request.
CREATE OR REPLACE VIEW merges AS
  SELECT i.project, i.merged_by AS actor, i.merged_at AS stamp, i.number, CASE WHEN i.actor = i.merged_by THEN 1 ELSE 0 END AS own
  FROM items AS i LEFT JOIN bots AS b ON b.project = i.project AND b.actor = i.merged_by
  WHERE i.merged_at IS NOT NULL AND i.merged_by IS NOT NULL AND b.actor IS NULL;
CREATE OR REPLACE VIEW associations AS
  SELECT project, actor, stamp FROM human_items
  WHERE actor IS NOT NULL AND association IN ('OWNER', 'MEMBER', 'COLLABORATOR')
  UNION ALL SELECT project, actor, stamp FROM human_actions
  WHERE actor IS NOT NULL AND kind <> 'inline' AND association IN ('OWNER', 'MEMBER', 'COLLABORATOR');
-- For how long somebody stood in a version of an ownership file: T with listed_from < T <= listed_until.
CREATE OR REPLACE VIEW owners AS
  SELECT n.project, n.actor, v.stamp AS listed_from, v.until AS listed_until
  FROM owner_names AS n
  INNER JOIN (
    SELECT project, path, position, stamp, deleted,
      coalesce(lead(stamp) OVER (PARTITION BY project, path ORDER BY stamp, position), 9223372036854775807) AS until
    FROM owner_versions
  ) AS v ON v.project = n.project AND v.path = n.path AND v.position = n.position
  LEFT JOIN bots AS b ON b.project = n.project AND b.actor = n.actor
  WHERE NOT v.deleted AND b.actor IS NULL;
-- Everything that makes somebody a contributor.
CREATE OR REPLACE VIEW contributions AS
  SELECT project, actor, stamp FROM human_items WHERE actor IS NOT NULL
  UNION ALL SELECT project, actor, stamp FROM human_actions WHERE actor IS NOT NULL AND kind <> 'inline';
