-- Issues opened in a window by somebody who was not core at the moment of opening, with evidence E1-E4 of the 365 days
-- before it. Unknown accounts count as outside.
WITH opened AS (
  SELECT s.project, s.as_of, s.win, i.number, i.actor, i.stamp
  FROM scope AS s INNER JOIN human_items AS i ON i.project = s.project
  WHERE i.kind = 'issue' AND i.stamp >= s.since AND i.stamp < s.as_of
),
asked AS (SELECT DISTINCT project, actor, stamp FROM opened WHERE actor IS NOT NULL),
core_then AS (
  SELECT a.project, a.actor, a.stamp
  FROM asked AS a INNER JOIN merges AS m ON m.project = a.project AND m.actor = a.actor
  WHERE m.stamp >= a.stamp - 86400 * 365 AND m.stamp < a.stamp
  GROUP BY a.project, a.actor, a.stamp
  HAVING count(DISTINCT CASE WHEN m.own = 0 THEN m.number END) >= 2 OR count(DISTINCT CASE WHEN m.own = 1 THEN m.number END) >= 2
  UNION
  SELECT a.project, a.actor, a.stamp
  FROM asked AS a INNER JOIN owners AS o ON o.project = a.project AND o.actor = a.actor
  WHERE o.listed_from < a.stamp AND a.stamp <= o.listed_until
  UNION
  SELECT a.project, a.actor, a.stamp
  FROM asked AS a INNER JOIN associations AS e ON e.project = a.project AND e.actor = a.actor
  WHERE e.stamp >= a.stamp - 86400 * 365 AND e.stamp < a.stamp
)
SELECT o.project, o.as_of, o.win, count(*) AS outside_dated
FROM opened AS o
LEFT JOIN core_then AS c ON c.project = o.project AND c.actor = o.actor AND c.stamp = o.stamp
WHERE c.actor IS NULL
GROUP BY o.project, o.as_of, o.win
