SELECT
    flight_id,
    scheduled_departure,
    carrier,
    origin,
    CAST(distance AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure) AS int) AS hour
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
