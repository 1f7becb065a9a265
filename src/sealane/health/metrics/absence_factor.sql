-- Contributor absence factor: the smallest number of people that together made more than half of what known people
-- contributed in a window, for each kind of contribution. Gives no row where nobody contributed (the factor is 0).
WITH made AS (
  SELECT s.project, s.as_of, s.win, m.kind, m.actor, count(*) AS made
  FROM scope AS s
  INNER JOIN (
    SELECT project, kind, actor, stamp FROM human_items
    UNION ALL SELECT project, kind, actor, stamp FROM human_actions
    UNION ALL SELECT project, 'commit' AS kind, author AS actor, stamp FROM commits WHERE parents <= 1 AND NOT bot
  ) AS m ON m.project = s.project
  WHERE m.actor IS NOT NULL AND m.stamp >= s.since AND m.stamp < s.as_of
  GROUP BY s.project, s.as_of, s.win, m.kind, m.actor
),
ranked AS (
  SELECT project, as_of, win, kind,
    sum(made) OVER (PARTITION BY project, as_of, win, kind ORDER BY made DESC, actor ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - made AS above,
    sum(made) OVER (PARTITION BY project, as_of, win, kind) AS total
  FROM made
)
SELECT project, as_of, win, kind, count(*) AS absence_factor
FROM ranked WHERE 2 * above <= total
GROUP BY project, as_of, win, kind
