SELECT
    flight_id,
    scheduled_departure,
    carrier,
    origin,
    CAST(distance AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure AT TIME ZONE 'America/New_York') AS int) AS hour,
    CAST(NULL AS float8) AS temp_f
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
