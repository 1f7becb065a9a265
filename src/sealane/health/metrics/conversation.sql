-- Comments and reviews made in a window, by core, outside and unknown people; comments inside reviews apart.
SELECT s.project, s.as_of, s.win, a.kind,
  sum(CASE WHEN a.bot THEN 0 ELSE 1 END) AS made,
  count(DISTINCT CASE WHEN NOT a.bot THEN a.actor END) AS authors,
  sum(CASE WHEN NOT a.bot AND c.actor IS NOT NULL THEN 1 ELSE 0 END) AS by_core,
  sum(CASE WHEN NOT a.bot AND a.actor IS NOT NULL AND c.actor IS NULL THEN 1 ELSE 0 END) AS by_outside,
  sum(CASE WHEN a.actor IS NULL THEN 1 ELSE 0 END) AS by_unknown,
  sum(CASE WHEN a.bot THEN 1 ELSE 0 END) AS by_bots,
  sum(CASE WHEN NOT a.bot AND (a.actor IS NULL OR i.actor IS NULL OR a.actor <> i.actor) THEN 1 ELSE 0 END) AS by_others,
  sum(CASE WHEN NOT a.bot AND a.state = 'APPROVED' THEN 1 ELSE 0 END) AS approvals
FROM scope AS s
INNER JOIN marked_actions AS a ON a.project = s.project
LEFT JOIN items AS i ON i.project = a.project AND i.kind = a.item_kind AND i.number = a.number
LEFT JOIN core AS c ON c.project = s.project AND c.as_of = s.as_of AND c.span = s.span AND c.actor = a.actor
WHERE a.stamp >= s.since AND a.stamp < s.as_of
GROUP BY s.project, s.as_of, s.win, a.kind
