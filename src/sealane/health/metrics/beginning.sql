-- When a project's history begins and what is known of it: first and last event, and how many of each kind before T.
SELECT s.project, s.as_of, min(e.stamp) AS first, max(e.stamp) AS last,
  sum(CASE WHEN e.kind = 'issue' THEN 1 ELSE 0 END) AS issues,
  sum(CASE WHEN e.kind = 'pull' THEN 1 ELSE 0 END) AS pulls,
  sum(CASE WHEN e.kind = 'commit' THEN 1 ELSE 0 END) AS commits,
  sum(CASE WHEN e.kind = 'action' THEN 1 ELSE 0 END) AS actions
FROM (SELECT DISTINCT project, as_of FROM scope) AS s
INNER JOIN (
  SELECT project, kind, stamp FROM items
  UNION ALL SELECT project, 'commit' AS kind, stamp FROM commits
  UNION ALL SELECT project, 'action' AS kind, stamp FROM actions
) AS e ON e.project = s.project
WHERE e.stamp < s.as_of
GROUP BY s.project, s.as_of
