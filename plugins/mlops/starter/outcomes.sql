-- Key and label of each case whose outcome was known by :as_of. Add the condition that defines when
-- an outcome is known; without one, every row counts as known from its own time on.
SELECT
    $key,
    CAST($label AS boolean) AS $label
FROM $table
WHERE $time >= :window_start
  AND $time < :window_end
  AND $time < :as_of
