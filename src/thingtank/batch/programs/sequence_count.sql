-- The same count as a query of DuckDB: `lines` has a column `line`, and $SEQ is the sequence.
SELECT $SEQ AS sequence, count(*) AS occurrences
FROM lines
WHERE contains(line, $SEQ)
HAVING count(*) > 0
