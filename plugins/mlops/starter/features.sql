-- One row for each case whose time is in the window: key, time and features as they were known at
-- the moment of the decision. Training and scoring both read this query.
SELECT
    $columns
FROM $table
WHERE $moment >= :window_start
  AND $moment < :window_end
