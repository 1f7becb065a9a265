-- How often the core acts: core people with an act in the window, distinct UTC days and Monday-based weeks with one, and
-- the 90th percentile of the gaps between successive days (linear between order statistics; NULL below two days).
-- Acts are issues, pull requests, comments and reviews they made and pull requests they merged.
WITH acts AS (
  SELECT project, actor, stamp FROM contributions
  UNION ALL SELECT project, actor, stamp FROM merges
),
done AS (
  SELECT s.project, s.as_of, s.win, a.actor, floor(a.stamp / 86400) AS day
  FROM scope AS s
  INNER JOIN acts AS a ON a.project = s.project
  INNER JOIN core AS c ON c.project = s.project AND c.as_of = s.as_of AND c.span = s.span AND c.actor = a.actor
  WHERE a.stamp >= s.since AND a.stamp < s.as_of
),
days AS (SELECT DISTINCT project, as_of, win, day FROM done),
gaps AS (
  SELECT project, as_of, win, day, day - lag(day) OVER (PARTITION BY project, as_of, win ORDER BY day) AS gap FROM days
),
cadence AS (
  SELECT project, as_of, win, count(*) AS action_days, count(DISTINCT floor((day + 3) / 7)) AS action_weeks,
    quantile_cont(gap, 0.9) AS gap_p90_days
  FROM gaps GROUP BY project, as_of, win
),
active AS (SELECT project, as_of, win, count(DISTINCT actor) AS active FROM done GROUP BY project, as_of, win),
sizes AS (SELECT project, as_of, span, count(*) AS size FROM core GROUP BY project, as_of, span)
SELECT s.project, s.as_of, s.win, z.size, a.active, d.action_days, d.action_weeks, d.gap_p90_days
FROM scope AS s
INNER JOIN sizes AS z ON z.project = s.project AND z.as_of = s.as_of AND z.span = s.span
LEFT JOIN active AS a ON a.project = s.project AND a.as_of = s.as_of AND a.win = s.win
LEFT JOIN cadence AS d ON d.project = s.project AND d.as_of = s.as_of AND d.win = s.win
