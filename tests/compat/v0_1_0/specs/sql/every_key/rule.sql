SELECT
    flight_id,
    scheduled_departure,
    CASE WHEN origin = 'EWR' THEN 0.9 ELSE 0.1 END AS score
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
