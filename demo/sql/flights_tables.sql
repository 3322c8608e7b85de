-- The tables of the warehouse, filled from the source tables in the same transaction.

CREATE TABLE public.airlines (
    carrier text PRIMARY KEY,
    name    text NOT NULL
);

INSERT INTO public.airlines SELECT carrier, name FROM source_airlines;

CREATE TABLE public.airports (
    faa              text PRIMARY KEY,
    name             text NOT NULL,
    lat              double precision NOT NULL,
    lon              double precision NOT NULL,
    altitude_ft      integer NOT NULL,
    utc_offset_hours integer NOT NULL,
    dst              text NOT NULL,
    tzone            text
);

INSERT INTO public.airports SELECT faa, name, lat, lon, alt, tz, dst, tzone FROM source_airports;

CREATE TABLE public.planes (
    tailnum      text PRIMARY KEY,
    year         integer,
    type         text NOT NULL,
    manufacturer text NOT NULL,
    model        text NOT NULL,
    engines      integer NOT NULL,
    seats        integer NOT NULL,
    speed_mph    integer,
    engine       text NOT NULL
);

INSERT INTO public.planes
SELECT tailnum, year, type, manufacturer, model, engines, seats, speed, engine FROM source_planes;

CREATE TABLE public.weather (
    origin         text NOT NULL,
    observed_at    timestamptz NOT NULL,
    temp_f         double precision,
    dewp           double precision,
    humid          double precision,
    wind_dir_deg   double precision,
    wind_speed_mph double precision,
    wind_gust_mph  double precision,
    precip_in      double precision NOT NULL,
    pressure_mb    double precision,
    visib_miles    double precision NOT NULL,
    PRIMARY KEY (origin, observed_at)
);

INSERT INTO public.weather
SELECT origin, time_hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure,
       visib
FROM source_weather;

CREATE TABLE public.flights (
    flight_id           bigint NOT NULL,
    carrier             text NOT NULL,
    flight              integer NOT NULL,
    tailnum             text,
    origin              text NOT NULL,
    dest                text NOT NULL,
    distance            integer NOT NULL,
    scheduled_departure timestamptz NOT NULL,
    scheduled_arrival   timestamptz NOT NULL,
    actual_departure    timestamptz,
    actual_arrival      timestamptz,
    dep_delay           integer,
    arr_delay           integer,
    air_time            integer
);

-- The file gives the arrival as a clock reading at the destination, without a date: it is the
-- first time after the departure at which the clock there reads so. No flight takes a day.
WITH zoned AS (
    SELECT f.*,
           f.time_hour + make_interval(mins => f.minute) AS scheduled_departure,
           -- Four airports of the Caribbean are missing from airports.csv.
           CASE WHEN f.dest IN ('BQN', 'PSE', 'SJU', 'STT') THEN 'America/Puerto_Rico'
                ELSE a.tzone END AS zone,
           make_interval(hours => f.sched_arr_time / 100, mins => f.sched_arr_time % 100) AS clock
    FROM source_flights AS f
    LEFT JOIN source_airports AS a ON a.faa = f.dest
), dated AS (
    SELECT zoned.*, date_trunc('day', scheduled_departure AT TIME ZONE zone) AS midnight
    FROM zoned
), timed AS (
    SELECT dated.*,
           CASE WHEN (midnight + clock) AT TIME ZONE zone > scheduled_departure
                THEN (midnight + clock) AT TIME ZONE zone
                ELSE (midnight + interval '1 day' + clock) AT TIME ZONE zone
           END AS scheduled_arrival
    FROM dated
)
INSERT INTO public.flights
SELECT flight_id, carrier, flight, tailnum, origin, dest, distance,
       scheduled_departure, scheduled_arrival,
       scheduled_departure + make_interval(mins => dep_delay),
       scheduled_arrival + make_interval(mins => arr_delay),
       dep_delay, arr_delay, air_time
FROM timed
ORDER BY flight_id;

ALTER TABLE public.flights
    ADD PRIMARY KEY (flight_id),
    ADD FOREIGN KEY (carrier) REFERENCES public.airlines,
    ADD FOREIGN KEY (origin) REFERENCES public.airports,
    ADD CHECK (scheduled_arrival > scheduled_departure);
CREATE INDEX flights_scheduled_departure ON public.flights (scheduled_departure);
CREATE INDEX flights_origin ON public.flights (origin, scheduled_departure);
CREATE INDEX flights_carrier ON public.flights (carrier, scheduled_departure);
CREATE INDEX flights_tailnum ON public.flights (tailnum, scheduled_departure);

COMMENT ON TABLE public.airlines IS 'Airlines that flew from New York City in 2013';
COMMENT ON COLUMN public.airlines.carrier IS 'IATA code of the airline, two characters';
COMMENT ON COLUMN public.airlines.name IS 'Full name of the airline';

COMMENT ON TABLE public.airports IS 'Airports, mostly of the United States';
COMMENT ON COLUMN public.airports.faa IS 'FAA code of the airport';
COMMENT ON COLUMN public.airports.name IS 'Usual name';
COMMENT ON COLUMN public.airports.lat IS 'Latitude, degrees north';
COMMENT ON COLUMN public.airports.lon IS 'Longitude, degrees east';
COMMENT ON COLUMN public.airports.altitude_ft IS 'Altitude, feet';
COMMENT ON COLUMN public.airports.utc_offset_hours IS 'Standard time minus UTC, hours';
COMMENT ON COLUMN public.airports.dst IS
    'Daylight saving: A as in the United States, N none, U unknown';
COMMENT ON COLUMN public.airports.tzone IS 'IANA time zone; null where unknown';

COMMENT ON TABLE public.planes IS
    'Aircraft by tail number, from the register of the FAA; about one in six is not in it';
COMMENT ON COLUMN public.planes.tailnum IS 'Tail number';
COMMENT ON COLUMN public.planes.year IS 'Year of manufacture; null where unknown';
COMMENT ON COLUMN public.planes.type IS 'Type of aircraft';
COMMENT ON COLUMN public.planes.manufacturer IS 'Manufacturer';
COMMENT ON COLUMN public.planes.model IS 'Model';
COMMENT ON COLUMN public.planes.engines IS 'Number of engines';
COMMENT ON COLUMN public.planes.seats IS 'Number of seats';
COMMENT ON COLUMN public.planes.speed_mph IS 'Mean cruising speed, miles an hour; mostly unknown';
COMMENT ON COLUMN public.planes.engine IS 'Type of engine';

COMMENT ON TABLE public.weather IS
    'Hourly weather at the three airports of New York City up to 30 December 2013, with gaps, as '
    'recorded: a wind speed of 1,048 miles an hour included';
COMMENT ON COLUMN public.weather.origin IS 'FAA code of the airport: EWR, JFK or LGA';
COMMENT ON COLUMN public.weather.observed_at IS 'Hour of the observation';
COMMENT ON COLUMN public.weather.temp_f IS 'Temperature, degrees Fahrenheit';
COMMENT ON COLUMN public.weather.dewp IS 'Dew point, degrees Fahrenheit';
COMMENT ON COLUMN public.weather.humid IS 'Relative humidity, percent';
COMMENT ON COLUMN public.weather.wind_dir_deg IS
    'Direction that the wind comes from, degrees; null when it varies';
COMMENT ON COLUMN public.weather.wind_speed_mph IS 'Wind speed, miles an hour';
COMMENT ON COLUMN public.weather.wind_gust_mph IS
    'Speed of gusts, miles an hour; null when there were none';
COMMENT ON COLUMN public.weather.precip_in IS 'Precipitation, inches';
COMMENT ON COLUMN public.weather.pressure_mb IS 'Pressure at sea level, millibar';
COMMENT ON COLUMN public.weather.visib_miles IS 'Visibility, miles; 10 at most';

COMMENT ON TABLE public.flights IS
    'Every flight that was scheduled to leave New York City (EWR, JFK, LGA) in 2013';
COMMENT ON COLUMN public.flights.flight_id IS 'Row number in the source file, from 1 on';
COMMENT ON COLUMN public.flights.carrier IS 'IATA code of the airline';
COMMENT ON COLUMN public.flights.flight IS 'Flight number';
COMMENT ON COLUMN public.flights.tailnum IS
    'Tail number of the aircraft; null for some of the cancelled flights, never for others';
COMMENT ON COLUMN public.flights.origin IS 'FAA code of the airport of departure';
COMMENT ON COLUMN public.flights.dest IS
    'FAA code of the airport of destination; BQN, PSE, SJU and STT are not in airports';
COMMENT ON COLUMN public.flights.distance IS 'Distance between the airports, miles';
COMMENT ON COLUMN public.flights.scheduled_departure IS 'Departure as scheduled';
COMMENT ON COLUMN public.flights.scheduled_arrival IS 'Arrival as scheduled';
COMMENT ON COLUMN public.flights.actual_departure IS 'Departure as flown; null if cancelled';
COMMENT ON COLUMN public.flights.actual_arrival IS
    'Arrival at the destination as flown; null if cancelled, diverted or not recorded';
COMMENT ON COLUMN public.flights.dep_delay IS
    'Delay of the departure, minutes; negative when early, null if cancelled';
COMMENT ON COLUMN public.flights.arr_delay IS
    'Delay of the arrival, minutes; negative when early, null if cancelled, diverted or not '
    'recorded';
COMMENT ON COLUMN public.flights.air_time IS
    'Time in the air, minutes; null if cancelled, diverted or not recorded';

ANALYZE public.airlines, public.airports, public.planes, public.weather, public.flights;
