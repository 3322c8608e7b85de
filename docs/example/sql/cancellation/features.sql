-- What was known of each flight of the window three hours before its scheduled departure.
WITH asked AS (
    SELECT
        flight_id, carrier, origin, dest, distance, scheduled_departure,
        scheduled_departure - INTERVAL '3 hours' AS known_at
    FROM flights
    WHERE scheduled_departure >= :window_start
      AND scheduled_departure < :window_end
)

SELECT
    a.flight_id,
    a.scheduled_departure,
    a.carrier,
    a.origin,
    a.dest,
    a.distance,
    CAST(extract(hour FROM a.scheduled_departure AT TIME ZONE 'America/New_York') AS int)
        AS departure_hour,
    CAST(extract(isodow FROM a.scheduled_departure AT TIME ZONE 'America/New_York') AS int)
        AS weekday,
    CAST(h.airport_not_left AS float8) / nullif(h.airport_due, 0) AS airport_not_left,
    CAST(h.airline_not_left AS float8) / nullif(h.airline_due, 0) AS airline_not_left,
    CAST(h.route_not_left AS float8) / nullif(h.route_due, 0) AS route_not_left,
    w.temp_f,
    w.wind_gust_mph,
    w.precip_in,
    w.visib_miles
FROM asked AS a
-- Flights of the airport that should have left in the six hours before, and have not.
CROSS JOIN LATERAL (
    SELECT
        count(*) AS airport_due,
        count(*) FILTER (WHERE o.carrier = a.carrier) AS airline_due,
        count(*) FILTER (WHERE o.dest = a.dest) AS route_due,
        count(*) FILTER (WHERE NOT o.has_left) AS airport_not_left,
        count(*) FILTER (WHERE NOT o.has_left AND o.carrier = a.carrier) AS airline_not_left,
        count(*) FILTER (WHERE NOT o.has_left AND o.dest = a.dest) AS route_not_left
    FROM (
        SELECT f.carrier, f.dest, coalesce(f.actual_departure <= a.known_at, false) AS has_left
        FROM flights AS f
        WHERE f.origin = a.origin
          AND f.scheduled_departure > a.known_at - INTERVAL '6 hours'
          AND f.scheduled_departure <= a.known_at
    ) AS o
) AS h
-- The weather of the last hour that was over by then.
LEFT JOIN weather AS w
    ON w.origin = a.origin
    AND w.observed_at = date_trunc('hour', a.known_at, 'UTC') - INTERVAL '1 hour'
