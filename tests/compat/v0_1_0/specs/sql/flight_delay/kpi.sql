-- Of the flights that arrived 30 minutes late or more, or never: the share in percent that had
-- been flagged before departure. A flight that was not scored was not flagged. Null while no
-- flight of the window is known to be late.
--
-- The estimate needs no outcome: it is the same share, as the scores expect it.
SELECT
    100.0 * CAST(count(*) FILTER (WHERE f.late AND p.decision) AS float8)
        / nullif(count(*) FILTER (WHERE f.late), 0) AS value,
    100.0 * sum(p.score) FILTER (WHERE p.decision) / nullif(sum(p.score), 0) AS estimate
FROM (
    SELECT
        flight_id,
        coalesce(actual_arrival >= late_from, true)
            AND late_from < :as_of AS late
    FROM (
        SELECT
            flight_id, actual_arrival,
            scheduled_arrival + INTERVAL '30 minutes' AS late_from
        FROM flights
        WHERE scheduled_departure >= :window_start
          AND scheduled_departure < :window_end
    ) AS arrivals
) AS f
LEFT JOIN ml.flight_delay AS p ON p.flight_id = f.flight_id
