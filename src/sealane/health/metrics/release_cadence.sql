-- Release cadence at T: distinct tag days before it, the last tag, and the median gap between successive tag days.
WITH days AS (
  SELECT DISTINCT s.project, s.as_of, floor(t.stamp / 86400) AS day
  FROM (SELECT DISTINCT project, as_of FROM scope) AS s INNER JOIN tags AS t ON t.project = s.project
  WHERE t.stamp < s.as_of
),
gaps AS (
  SELECT project, as_of, day, day - lag(day) OVER (PARTITION BY project, as_of ORDER BY day) AS gap FROM days
),
last_tag AS (
  SELECT s.project, s.as_of, max(t.stamp) AS stamp
  FROM (SELECT DISTINCT project, as_of FROM scope) AS s INNER JOIN tags AS t ON t.project = s.project
  WHERE t.stamp < s.as_of
  GROUP BY s.project, s.as_of
)
SELECT g.project, g.as_of, count(*) AS days, max(l.stamp) AS last_tag, quantile_cont(g.gap, 0.5) AS median_gap_days
FROM gaps AS g INNER JOIN last_tag AS l ON l.project = g.project AND l.as_of = g.as_of
GROUP BY g.project, g.as_of
