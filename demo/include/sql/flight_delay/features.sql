-- One row for each flight that is scheduled in the window: what was known of it one hour before
-- its scheduled departure. Training and scoring both read this query.
--
-- A fact counts from the moment on at which it could be read:
--   schedule     always; it is published months before
--   departure    from actual_departure on; until then it is known that the flight has not left
--   arrival      from actual_arrival on
--   weather      one hour after observed_at, which is the hour's beginning: stations report near
--                its end
--   aircraft     taken as planned. The table strikes the tail number of cancelled flights only, so
--                that a missing one would give the outcome away: seats and age come from what the
--                airline flew on the route before, and an unknown aircraft counts as not delayed
--
-- Rows do not depend on where the window is cut: every look back is a number of hours, and a
-- flight that leaves a day or more behind its schedule is left out of the history. Lengths are in
-- hours, not days, since a day's length depends on the time zone of the session.
WITH asked AS (
    SELECT
        flight_id, carrier, origin, dest, tailnum, distance, scheduled_departure,
        scheduled_departure - INTERVAL '1 hour' AS known_at
    FROM flights
    WHERE scheduled_departure >= :window_start
      AND scheduled_departure < :window_end
),

-- The history: 1 hour to the cut-off, 168 of look back and 24 of delay, rounded up to 9 days.
recent AS (
    SELECT *
    FROM flights
    WHERE scheduled_departure >= :window_start - INTERVAL '216 hours'
      AND scheduled_departure < :window_end
),

departed AS (
    SELECT
        f.*, p.seats,
        CAST(extract(year FROM f.actual_departure AT TIME ZONE 'America/New_York') AS int) - p.year
            AS age
    FROM recent AS f
    LEFT JOIN planes AS p ON p.tailnum = f.tailnum
    WHERE f.actual_departure > f.scheduled_departure - INTERVAL '1 hour'
      AND f.actual_departure < f.scheduled_departure + INTERVAL '24 hours'
),

-- What happened, and what is asked, on one line of time; a window then looks back from each flight.
timeline AS (
    SELECT
        CAST(NULL AS bigint) AS flight_id, origin, dest, carrier, actual_departure AS at,
        dep_delay, CAST(dep_delay > 30 AS int) AS over_30, seats, age, 0 AS waiting
    FROM departed
    UNION ALL
    -- An overdue flight starts to wait when it should have left,
    SELECT NULL, origin, dest, carrier, scheduled_departure, NULL, NULL, NULL, NULL, 1
    FROM recent
    WHERE actual_departure IS NULL OR actual_departure > scheduled_departure
    UNION ALL
    -- and ends when it leaves, or after three hours: a late one looks like a cancelled one.
    SELECT
        NULL, origin, dest, carrier,
        least(actual_departure, scheduled_departure + INTERVAL '3 hours'),
        NULL, NULL, NULL, NULL, -1
    FROM recent
    WHERE actual_departure IS NULL OR actual_departure > scheduled_departure
    UNION ALL
    SELECT flight_id, origin, dest, carrier, known_at, NULL, NULL, NULL, NULL, 0
    FROM asked
),

-- Sums of whole numbers: exact in any order.
board AS (
    SELECT
        flight_id,
        sum(dep_delay) OVER origin_3h AS origin_delay,
        sum(over_30) OVER origin_3h AS origin_over_30,
        count(dep_delay) OVER origin_3h AS origin_departures,
        sum(waiting) OVER origin_so_far AS origin_waiting,
        sum(dep_delay) OVER carrier_3h AS carrier_delay,
        count(dep_delay) OVER carrier_3h AS carrier_departures,
        sum(seats) OVER route_7d AS route_seats,
        count(seats) OVER route_7d AS route_with_seats,
        sum(age) OVER route_7d AS route_age,
        count(age) OVER route_7d AS route_with_age
    FROM timeline
    WINDOW
        origin_so_far AS (PARTITION BY origin ORDER BY at RANGE UNBOUNDED PRECEDING),
        origin_3h AS (PARTITION BY origin ORDER BY at RANGE INTERVAL '3 hours' PRECEDING),
        carrier_3h AS (PARTITION BY carrier ORDER BY at RANGE INTERVAL '3 hours' PRECEDING),
        route_7d AS (
            PARTITION BY carrier, origin, dest ORDER BY at RANGE INTERVAL '168 hours' PRECEDING
        )
),

-- Each departure of an aircraft holds until the aircraft's next one.
aircraft AS (
    SELECT
        tailnum, actual_departure, actual_arrival, dep_delay, arr_delay,
        lead(actual_departure, 1, 'infinity')
            OVER (PARTITION BY tailnum ORDER BY actual_departure, flight_id) AS next_departure
    FROM departed
    WHERE tailnum IS NOT NULL
),

hours AS (
    SELECT origin, date_trunc('hour', scheduled_departure, 'UTC') AS hour, count(*) AS flights
    FROM flights
    WHERE scheduled_departure >= :window_start - INTERVAL '1 hour'
      AND scheduled_departure < :window_end + INTERVAL '1 hour'
    GROUP BY 1, 2
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
    h.flights AS flights_same_hour,
    CAST(b.origin_delay AS float8) / nullif(b.origin_departures, 0) AS origin_delay_3h,
    CAST(b.origin_over_30 AS float8) / nullif(b.origin_departures, 0) AS origin_late_share_3h,
    CAST(b.carrier_delay AS float8) / nullif(b.carrier_departures, 0) AS carrier_delay_3h,
    b.origin_waiting,
    -- Zero also where no departure of the aircraft in the last 24 hours is known.
    greatest(
        0, CASE WHEN l.actual_arrival <= a.known_at THEN l.arr_delay ELSE l.dep_delay END
    ) AS aircraft_delay,
    w.temp_f,
    -- The table holds a wind of 1,048 miles an hour: a fault of the instrument.
    CASE WHEN w.wind_speed_mph <= 150 THEN w.wind_speed_mph END AS wind_speed_mph,
    w.precip_in,
    w.visib_miles,
    w.humid,
    w.pressure_mb,
    CAST(b.route_age AS float8) / nullif(b.route_with_age, 0) AS plane_age,
    CAST(b.route_seats AS float8) / nullif(b.route_with_seats, 0) AS seats
FROM asked AS a
INNER JOIN board AS b ON b.flight_id = a.flight_id
INNER JOIN hours AS h
    ON h.origin = a.origin AND h.hour = date_trunc('hour', a.scheduled_departure, 'UTC')
LEFT JOIN aircraft AS l
    ON l.tailnum = a.tailnum
    AND l.actual_departure <= a.known_at
    AND l.actual_departure > a.known_at - INTERVAL '24 hours'
    AND l.next_departure > a.known_at
LEFT JOIN LATERAL (
    SELECT temp_f, wind_speed_mph, precip_in, visib_miles, humid, pressure_mb
    FROM weather
    WHERE weather.origin = a.origin
      AND weather.observed_at <= a.known_at - INTERVAL '1 hour'
      AND weather.observed_at > a.known_at - INTERVAL '4 hours'
    ORDER BY weather.observed_at DESC
    LIMIT 1
) AS w ON true
