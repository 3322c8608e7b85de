SELECT
    flight_id,
    scheduled_departure,
    CASE WHEN extract(hour FROM scheduled_departure) >= 18 THEN 0.6 ELSE 0.1 END AS score
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
