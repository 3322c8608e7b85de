-- Key and label of each case whose outcome was known by :as_of. Add the condition that defines when
-- an outcome is known; without one, every row counts as known from its own time on.
SELECT
    $key,
    CAST($label AS boolean) AS $label
FROM $table
WHERE $moment >= :window_start
  AND $moment < :window_end
  AND $moment < :as_of
