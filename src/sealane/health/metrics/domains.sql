-- Organisations behind the commits of a year: distinct domains of commit addresses, mail providers left out.
SELECT s.project, s.as_of, count(DISTINCT d.domain) AS domains
FROM (SELECT DISTINCT project, as_of FROM scope) AS s
INNER JOIN commits AS c ON c.project = s.project
INNER JOIN domains AS d ON d.project = c.project AND d.author = c.author
WHERE c.stamp >= s.as_of - 86400 * 365 AND c.stamp < s.as_of AND c.parents <= 1 AND NOT c.bot
GROUP BY s.project, s.as_of
