-- Issues and pull requests opened in a window, by whom, and how many come from outside the core at T.
-- Outside counts unknown accounts; people never do. Gives a row for each scope and kind.
WITH opened AS (
  SELECT s.project, s.as_of, s.win, s.since, i.kind, i.actor, i.bot, i.merged_at, c.actor IS NULL AS outside
  FROM scope AS s
  INNER JOIN marked_items AS i ON i.project = s.project
  LEFT JOIN core AS c ON c.project = s.project AND c.as_of = s.as_of AND c.span = s.span AND c.actor = i.actor
  WHERE i.stamp >= s.since AND i.stamp < s.as_of
),
firsts AS (SELECT project, kind, actor, min(stamp) AS first FROM human_items WHERE actor IS NOT NULL GROUP BY project, kind, actor)
SELECT o.project, o.as_of, o.win, o.kind,
  sum(CASE WHEN o.bot THEN 0 ELSE 1 END) AS opened,
  count(DISTINCT CASE WHEN NOT o.bot THEN o.actor END) AS authors,
  sum(CASE WHEN o.outside AND NOT o.bot THEN 1 ELSE 0 END) AS outside,
  count(DISTINCT CASE WHEN o.outside AND NOT o.bot THEN o.actor END) AS outside_authors,
  count(DISTINCT CASE WHEN o.outside AND NOT o.bot AND f.first >= o.since THEN o.actor END) AS outside_authors_new,
  sum(CASE WHEN o.bot THEN 1 ELSE 0 END) AS by_bots,
  sum(CASE WHEN o.actor IS NULL THEN 1 ELSE 0 END) AS by_unknown,
  sum(CASE WHEN o.outside AND NOT o.bot AND o.merged_at < o.as_of THEN 1 ELSE 0 END) AS outside_merged
FROM opened AS o
LEFT JOIN firsts AS f ON f.project = o.project AND f.kind = o.kind AND f.actor = o.actor
GROUP BY o.project, o.as_of, o.win, o.kind
