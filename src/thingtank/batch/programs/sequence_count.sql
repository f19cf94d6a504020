-- The same count as a query of DuckDB: `lines` has a column `line`, and $seq is the sequence.
SELECT $seq AS sequence, count(*) AS occurrences
FROM lines
WHERE contains(line, $seq)
HAVING count(*) > 0
