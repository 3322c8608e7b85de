SELECT flight_id, scheduled_departure, origin, distance FROM flights
WHERE scheduled_departure >= :window_start AND scheduled_departure < :window_end
