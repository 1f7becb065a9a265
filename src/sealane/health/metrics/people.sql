-- Contributors: distinct people who opened an item, commented or reviewed in a window; new are those whose first such
-- act ever lies in it.
WITH firsts AS (SELECT project, actor, min(stamp) AS first FROM contributions GROUP BY project, actor)
SELECT s.project, s.as_of, s.win,
  count(DISTINCT c.actor) AS contributors,
  count(DISTINCT CASE WHEN f.first >= s.since THEN c.actor END) AS new
FROM scope AS s
INNER JOIN contributions AS c ON c.project = s.project
INNER JOIN firsts AS f ON f.project = c.project AND f.actor = c.actor
WHERE c.stamp >= s.since AND c.stamp < s.as_of
GROUP BY s.project, s.as_of, s.win
