-- What came of the flights of the window, as far as it was known at the time of asking.
--
-- Thirty minutes after its scheduled arrival every flight's outcome is known: it has arrived at
-- its destination, or it is late. One rule thus covers late, cancelled and diverted flights, and
-- a person who waits at the destination sees no difference between them.
WITH arrivals AS (
    SELECT
        flight_id,
        scheduled_departure,
        actual_arrival,
        scheduled_arrival + INTERVAL '30 minutes' AS late_from
    FROM flights
    WHERE scheduled_departure >= :window_start
      AND scheduled_departure < :window_end
)

SELECT
    flight_id,
    coalesce(actual_arrival >= late_from, true) AS late,
    least(actual_arrival, late_from) AS known_at
FROM arrivals
WHERE least(actual_arrival, late_from) < :as_of
