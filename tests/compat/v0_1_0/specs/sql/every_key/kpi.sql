SELECT avg(extract(epoch FROM actual_arrival - scheduled_arrival) / 60) AS value
FROM flights
WHERE scheduled_departure >= :window_start
  AND scheduled_departure < :window_end
  AND actual_arrival < :as_of
