-- Issues and pull requests closed in a window, whenever they were opened; pull requests merged, and closed without.
-- An item that was merged after T is not merged at T.
SELECT s.project, s.as_of, s.win, i.kind,
  sum(CASE WHEN i.closed_at >= s.since AND i.closed_at < s.as_of THEN 1 ELSE 0 END) AS closed,
  sum(CASE WHEN i.merged_at >= s.since AND i.merged_at < s.as_of THEN 1 ELSE 0 END) AS merged,
  sum(CASE WHEN i.closed_at >= s.since AND i.closed_at < s.as_of AND i.merged_at IS NULL THEN 1 ELSE 0 END) AS closed_unmerged
FROM scope AS s
INNER JOIN human_items AS i ON i.project = s.project
WHERE i.stamp < s.as_of
GROUP BY s.project, s.as_of, s.win, i.kind
