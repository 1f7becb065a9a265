-- What would change if two approvals of other people's pull requests made somebody core (they do not: on the forge
-- anybody may approve). Gives core size, outside issues and outside pull requests for the windows 365 and all.
WITH approved AS (
  SELECT s.project, s.as_of, s.span, a.actor
  FROM (SELECT DISTINCT project, as_of, span, since FROM scope WHERE win IN ('365', 'all')) AS s
  INNER JOIN human_actions AS a ON a.project = s.project
  LEFT JOIN items AS i ON i.project = a.project AND i.kind = a.item_kind AND i.number = a.number
  WHERE a.kind = 'review' AND a.state = 'APPROVED' AND a.actor IS NOT NULL AND a.stamp >= s.since AND a.stamp < s.as_of
    AND (i.actor IS NULL OR i.actor <> a.actor)
  GROUP BY s.project, s.as_of, s.span, a.actor
  HAVING count(DISTINCT a.number) >= 2
),
strong AS (
  SELECT project, as_of, span, actor FROM core WHERE e5 = 0
  UNION SELECT project, as_of, span, actor FROM approved
),
wide AS (
  SELECT project, as_of, span, actor FROM strong
  UNION SELECT c.project, c.as_of, c.span, c.actor FROM core AS c
  LEFT JOIN (SELECT DISTINCT project, as_of, span FROM strong) AS e ON e.project = c.project AND e.as_of = c.as_of AND e.span = c.span
  WHERE c.e5 = 1 AND e.project IS NULL
),
sizes AS (SELECT project, as_of, span, count(*) AS core FROM wide GROUP BY project, as_of, span),
outside AS (
  SELECT s.project, s.as_of, s.win,
    sum(CASE WHEN i.kind = 'issue' THEN 1 ELSE 0 END) AS issues_outside, sum(CASE WHEN i.kind = 'pull' THEN 1 ELSE 0 END) AS pulls_outside
  FROM scope AS s
  INNER JOIN human_items AS i ON i.project = s.project
  LEFT JOIN wide AS c ON c.project = s.project AND c.as_of = s.as_of AND c.span = s.span AND c.actor = i.actor
  WHERE i.stamp >= s.since AND i.stamp < s.as_of AND c.actor IS NULL
  GROUP BY s.project, s.as_of, s.win
)
SELECT s.project, s.as_of, s.win, z.core, o.issues_outside, o.pulls_outside
FROM scope AS s
LEFT JOIN sizes AS z ON z.project = s.project AND z.as_of = s.as_of AND z.span = s.span
LEFT JOIN outside AS o ON o.project = s.project AND o.as_of = s.as_of AND o.win = s.win
WHERE s.win IN ('365', 'all')
