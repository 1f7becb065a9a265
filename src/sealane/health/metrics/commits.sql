-- Commits of a window by commit time, without merge commits and bots; people counts their co-authors too.
WITH made AS (
  SELECT s.project, s.as_of, s.win, c.sha, c.author, c.stamp, c.web, c.bot, c.parents
  FROM scope AS s INNER JOIN commits AS c ON c.project = s.project
  WHERE c.stamp >= s.since AND c.stamp < s.as_of
),
human AS (SELECT * FROM made WHERE parents <= 1 AND NOT bot),
together AS (
  SELECT project, as_of, win, count(DISTINCT author) AS people
  FROM (
    SELECT project, as_of, win, author FROM human
    UNION ALL
    SELECT h.project, h.as_of, h.win, a.author
    FROM human AS h INNER JOIN coauthors AS a ON a.project = h.project AND a.sha = h.sha
    WHERE NOT a.bot
  ) AS everybody
  GROUP BY project, as_of, win
),
busiest AS (
  SELECT project, as_of, win, max(n) AS top_author
  FROM (SELECT project, as_of, win, author, count(*) AS n FROM human GROUP BY project, as_of, win, author) AS each_author
  GROUP BY project, as_of, win
)
SELECT m.project, m.as_of, m.win,
  sum(CASE WHEN m.parents <= 1 AND NOT m.bot THEN 1 ELSE 0 END) AS made,
  sum(CASE WHEN m.parents >= 2 THEN 1 ELSE 0 END) AS merges,
  sum(CASE WHEN m.parents <= 1 AND m.bot THEN 1 ELSE 0 END) AS by_bots,
  count(DISTINCT CASE WHEN m.parents <= 1 AND NOT m.bot THEN m.author END) AS authors,
  max(t.people) AS people,
  sum(CASE WHEN m.parents <= 1 AND NOT m.bot AND m.web THEN 1 ELSE 0 END) AS web,
  count(DISTINCT CASE WHEN m.parents <= 1 AND NOT m.bot THEN floor(m.stamp / 86400) END) AS days,
  max(b.top_author) AS top_author
FROM made AS m
LEFT JOIN together AS t ON t.project = m.project AND t.as_of = m.as_of AND t.win = m.win
LEFT JOIN busiest AS b ON b.project = m.project AND b.as_of = m.as_of AND b.win = m.win
GROUP BY m.project, m.as_of, m.win
