-- Who is core at T, with the evidence: E1 merged two pull requests of others, E2 listed in an ownership file,
-- E3 an association with write access, E4 merged two of their own, E5 only where nobody has E1-E4.
-- Evidence is taken from [T - 365 d, T) (span 365) and from all history before T (span 0).
-- Gives project, as_of, span, actor, e1, e2, e3, e4, e5.
WITH spans AS (
  SELECT project, as_of, span, CASE span WHEN 0 THEN -9223372036854775807 ELSE as_of - 86400 * span END AS since
  FROM (SELECT DISTINCT project, as_of FROM scope) AS instants CROSS JOIN (SELECT 365 AS span UNION ALL SELECT 0 AS span) AS two
),
merged AS (
  SELECT s.project, s.as_of, s.span, m.actor,
    count(DISTINCT CASE WHEN m.own = 0 THEN m.number END) AS others,
    count(DISTINCT CASE WHEN m.own = 1 THEN m.number END) AS own
  FROM spans AS s INNER JOIN merges AS m ON m.project = s.project
  WHERE m.stamp >= s.since AND m.stamp < s.as_of
  GROUP BY s.project, s.as_of, s.span, m.actor
),
listed AS (
  SELECT DISTINCT s.project, s.as_of, s.span, o.actor
  FROM spans AS s INNER JOIN owners AS o ON o.project = s.project
  WHERE o.listed_from < s.as_of AND s.as_of <= o.listed_until
),
associated AS (
  SELECT DISTINCT s.project, s.as_of, s.span, a.actor
  FROM spans AS s INNER JOIN associations AS a ON a.project = s.project
  WHERE a.stamp >= s.since AND a.stamp < s.as_of
),
evidence AS (
  SELECT project, as_of, span, actor, max(e1) AS e1, max(e2) AS e2, max(e3) AS e3, max(e4) AS e4
  FROM (
    SELECT project, as_of, span, actor, CASE WHEN others >= 2 THEN 1 ELSE 0 END AS e1, 0 AS e2, 0 AS e3,
      CASE WHEN own >= 2 THEN 1 ELSE 0 END AS e4 FROM merged
    UNION ALL SELECT project, as_of, span, actor, 0 AS e1, 1 AS e2, 0 AS e3, 0 AS e4 FROM listed
    UNION ALL SELECT project, as_of, span, actor, 0 AS e1, 0 AS e2, 1 AS e3, 0 AS e4 FROM associated
  ) AS found
  GROUP BY project, as_of, span, actor
  HAVING max(e1) + max(e2) + max(e3) + max(e4) > 0
),
authors AS (
  SELECT s.project, s.as_of, s.span, i.actor, count(*) AS pulls
  FROM spans AS s INNER JOIN human_items AS i ON i.project = s.project
  WHERE i.kind = 'pull' AND i.merged_at >= s.since AND i.merged_at < s.as_of AND i.actor IS NOT NULL
  GROUP BY s.project, s.as_of, s.span, i.actor
),
ranked AS (
  SELECT project, as_of, span, actor, pulls,
    sum(pulls) OVER (PARTITION BY project, as_of, span ORDER BY pulls DESC, actor ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS reached,
    sum(pulls) OVER (PARTITION BY project, as_of, span) AS total
  FROM authors
)
SELECT project, as_of, span, actor, e1, e2, e3, e4, 0 AS e5 FROM evidence
UNION ALL
SELECT r.project, r.as_of, r.span, r.actor, 0 AS e1, 0 AS e2, 0 AS e3, 0 AS e4, 1 AS e5
FROM ranked AS r
LEFT JOIN (SELECT DISTINCT project, as_of, span FROM evidence) AS e
  ON e.project = r.project AND e.as_of = r.as_of AND e.span = r.span
WHERE e.project IS NULL AND 5 * (r.reached - r.pulls) < 4 * r.total
