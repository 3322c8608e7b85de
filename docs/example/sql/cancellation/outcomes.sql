-- A flight that has not left a day after its schedule was cancelled; until then it is not known.
SELECT
    flight_id,
    coalesce(actual_departure >= given_up_at, true) AS cancelled,
    least(actual_departure, given_up_at) AS known_at
FROM (
    SELECT
        flight_id, actual_departure,
        scheduled_departure + INTERVAL '24 hours' AS given_up_at
    FROM flights
    WHERE scheduled_departure >= :window_start
      AND scheduled_departure < :window_end
) AS f
WHERE least(actual_departure, given_up_at) < :as_of
