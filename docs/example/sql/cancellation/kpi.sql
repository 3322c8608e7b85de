-- Of the cancelled flights, the share in percent that had been flagged three hours before.
SELECT
    100.0 * CAST(count(*) FILTER (WHERE p.decision) AS float8) / nullif(count(*), 0) AS value
FROM flights AS f
LEFT JOIN ml.cancellation AS p ON p.flight_id = f.flight_id
WHERE f.scheduled_departure >= :window_start
  AND f.scheduled_departure < :window_end
  AND f.scheduled_departure + INTERVAL '24 hours' < :as_of
  AND coalesce(f.actual_departure >= f.scheduled_departure + INTERVAL '24 hours', true)
