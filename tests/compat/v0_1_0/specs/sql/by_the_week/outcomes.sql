SELECT
    flight_id,
    coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true) AS late
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
  AND least(actual_arrival, scheduled_arrival + INTERVAL '30 minutes') < :as_of
