-- Tags of a window and the distinct UTC days on which they were made (a monorepo tags many times a day).
SELECT s.project, s.as_of, s.win, count(*) AS tags, count(DISTINCT floor(t.stamp / 86400)) AS days
FROM scope AS s INNER JOIN tags AS t ON t.project = s.project
WHERE t.stamp >= s.since AND t.stamp < s.as_of
GROUP BY s.project, s.as_of, s.win
