SELECT
    flight_id,
    scheduled_departure,
    carrier,
    origin,
    CAST(distance * 1.609344 AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure) AS int) AS hour,
    CASE WHEN flight_id % 7 > 0
        THEN CAST(extract(epoch FROM scheduled_arrival - scheduled_departure) / 60 AS float8)
    END AS planned_minutes
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
