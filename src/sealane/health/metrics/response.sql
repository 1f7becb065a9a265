-- How long until somebody answers: time from opening to the first comment (for pull requests also review) by another
-- person, unanswered items censored at their close or at T; Kaplan-Meier, because the median of the answered alone is
-- flattered by everybody who never got an answer. Four askings: all, outside askers, outside askers answered by the core.
-- S is compared with 1/2 within 1e-12: it is often exactly 1/2, which floating point misses.
WITH asked AS (
  SELECT s.project, s.as_of, s.win, s.span, i.kind, i.number, i.actor, i.stamp, i.closed_at, k.actor IS NULL AS outside
  FROM scope AS s
  INNER JOIN human_items AS i ON i.project = s.project
  LEFT JOIN core AS k ON k.project = s.project AND k.as_of = s.as_of AND k.span = s.span AND k.actor = i.actor
  WHERE i.stamp >= s.since AND i.stamp < s.as_of
),
answers AS (
  SELECT q.project, q.as_of, q.win, q.kind, q.number, min(a.stamp) AS answer, min(CASE WHEN k.actor IS NOT NULL THEN a.stamp END) AS core_answer
  FROM asked AS q
  INNER JOIN human_actions AS a ON a.project = q.project AND a.item_kind = q.kind AND a.number = q.number
  LEFT JOIN core AS k ON k.project = q.project AND k.as_of = q.as_of AND k.span = q.span AND k.actor = a.actor
  WHERE a.kind <> 'inline' AND a.stamp < q.as_of
    AND ((a.actor IS NULL AND q.actor IS NOT NULL) OR (a.actor IS NOT NULL AND q.actor IS NULL) OR a.actor <> q.actor)
  GROUP BY q.project, q.as_of, q.win, q.kind, q.number
),
pairs AS (
  SELECT q.project, q.as_of, q.win, q.kind, q.number, q.outside, q.stamp, q.closed_at, a.answer, a.core_answer
  FROM asked AS q
  LEFT JOIN answers AS a ON a.project = q.project AND a.as_of = q.as_of AND a.win = q.win AND a.kind = q.kind AND a.number = q.number
),
askings AS (
  SELECT project, as_of, win, kind, 'all' AS asking, stamp, closed_at, answer FROM pairs
  UNION ALL SELECT project, as_of, win, kind, 'outside' AS asking, stamp, closed_at, answer FROM pairs WHERE outside
  UNION ALL SELECT project, as_of, win, kind, 'outside_by_core' AS asking, stamp, closed_at, core_answer AS answer FROM pairs WHERE outside
),
waits AS (
  SELECT project, as_of, win, kind, asking, answer IS NOT NULL AS answered,
    greatest(0, CASE WHEN answer IS NOT NULL THEN answer WHEN closed_at < as_of THEN closed_at ELSE as_of END - stamp) AS wait
  FROM askings
),
times AS (
  SELECT project, as_of, win, kind, asking, wait, sum(CASE WHEN answered THEN 1 ELSE 0 END) AS died, count(*) AS left_now
  FROM waits GROUP BY project, as_of, win, kind, asking, wait
),
at_risk AS (
  SELECT project, as_of, win, kind, asking, wait, died,
    sum(left_now) OVER (PARTITION BY project, as_of, win, kind, asking ORDER BY wait DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS risk
  FROM times
),
curve AS (
  SELECT project, as_of, win, kind, asking, wait,
    CASE WHEN max(CASE WHEN died = risk THEN 1 ELSE 0 END) OVER w = 1 THEN 0.0
      ELSE exp(sum(CASE WHEN died = risk THEN 0.0 ELSE ln(1.0 - CAST(died AS DOUBLE) / CAST(risk AS DOUBLE)) END) OVER w) END AS s
  FROM at_risk
  WINDOW w AS (PARTITION BY project, as_of, win, kind, asking ORDER BY wait ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
estimates AS (
  SELECT project, as_of, win, kind, asking,
    min(CASE WHEN s <= 0.5 + 1e-12 THEN wait END) AS km_median,
    1.0 - min(CASE WHEN wait <= 604800 THEN s ELSE 1.0 END) AS p7
  FROM curve GROUP BY project, as_of, win, kind, asking
),
answered AS (
  SELECT project, as_of, win, kind, asking, count(*) AS n, sum(CASE WHEN answered THEN 1 ELSE 0 END) AS answered,
    quantile_cont(CASE WHEN answered THEN wait END, 0.5) AS median_answered
  FROM waits GROUP BY project, as_of, win, kind, asking
)
SELECT a.project, a.as_of, a.win, a.kind, a.asking, a.n, a.answered, a.median_answered, e.km_median, e.p7
FROM answered AS a
INNER JOIN estimates AS e ON e.project = a.project AND e.as_of = a.as_of AND e.win = a.win AND e.kind = a.kind AND e.asking = a.asking
