-- An editor of another system has put a mark before this line, which is not a part of the text.
SELECT
    flight_id,
    scheduled_departure,
    CAST(distance AS float8) AS distance,
    CAST(extract(hour FROM scheduled_departure) AS int) AS hour,
    origin,
    dep_delay > 30 AS late
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end;
