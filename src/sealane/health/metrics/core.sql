-- The core team that the other metrics of one look use.
SELECT project, as_of, span, actor, e1, e2, e3, e4, e5 FROM core
