-- What is left out of the figures about people: items, comments and reviews before T by bots and by deleted accounts.
SELECT s.project, s.as_of, sum(CASE WHEN e.bot THEN 1 ELSE 0 END) AS bots, sum(CASE WHEN e.actor IS NULL THEN 1 ELSE 0 END) AS unknown, count(*) AS events
FROM (SELECT DISTINCT project, as_of FROM scope) AS s
INNER JOIN (
  SELECT project, actor, stamp, bot FROM marked_items
  UNION ALL SELECT project, actor, stamp, bot FROM marked_actions WHERE kind <> 'inline'
) AS e ON e.project = s.project
WHERE e.stamp < s.as_of
GROUP BY s.project, s.as_of
