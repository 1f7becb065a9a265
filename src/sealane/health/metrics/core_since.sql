-- Since when somebody is core: the first instant ever at which E1, E2, E3 or E4 held. E1 and E4 begin with the event
-- that made two distinct pull requests within the 365 days that end with it. Gives project, actor, since.
SELECT project, actor, min(since) AS since
FROM (
  SELECT project, actor, stamp AS since
  FROM (
    SELECT project, actor, stamp, lag(stamp) OVER (PARTITION BY project, actor, own ORDER BY stamp, number) AS before FROM merges
  ) AS pairs
  WHERE before >= stamp - 86400 * 365
  UNION ALL SELECT project, actor, listed_from AS since FROM owners WHERE listed_from < listed_until
  UNION ALL SELECT project, actor, stamp AS since FROM associations
) AS instants
GROUP BY project, actor
