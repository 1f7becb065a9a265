-- Of the people active in [T-180 d, T-90 d), those active again in [T-90 d, T).
WITH active AS (
  SELECT s.project, s.as_of, c.actor, max(CASE WHEN c.stamp < s.as_of - 86400 * 90 THEN 1 ELSE 0 END) AS before, max(CASE WHEN c.stamp >= s.as_of - 86400 * 90 THEN 1 ELSE 0 END) AS after
  FROM (SELECT DISTINCT project, as_of FROM scope) AS s INNER JOIN contributions AS c ON c.project = s.project
  WHERE c.stamp >= s.as_of - 86400 * 180 AND c.stamp < s.as_of
  GROUP BY s.project, s.as_of, c.actor
)
SELECT project, as_of, sum(before) AS previous, sum(before * after) AS retained FROM active GROUP BY project, as_of
