-- The files of the package as they are: the same column names in the same order.
-- flight_id counts the rows of flights.csv from 1 on.

CREATE TEMPORARY TABLE source_airlines (carrier text, name text) ON COMMIT DROP;

CREATE TEMPORARY TABLE source_airports (
    faa text, name text, lat float8, lon float8, alt integer, tz integer, dst text, tzone text
) ON COMMIT DROP;

CREATE TEMPORARY TABLE source_planes (
    tailnum text, year integer, type text, manufacturer text, model text, engines integer,
    seats integer, speed integer, engine text
) ON COMMIT DROP;

CREATE TEMPORARY TABLE source_weather (
    origin text, year integer, month integer, day integer, hour integer, temp float8, dewp float8,
    humid float8, wind_dir float8, wind_speed float8, wind_gust float8, precip float8,
    pressure float8, visib float8, time_hour timestamptz
) ON COMMIT DROP;

CREATE TEMPORARY TABLE source_flights (
    flight_id bigint GENERATED ALWAYS AS IDENTITY,
    year integer, month integer, day integer, dep_time integer, sched_dep_time integer,
    dep_delay integer, arr_time integer, sched_arr_time integer, arr_delay integer, carrier text,
    flight integer, tailnum text, origin text, dest text, air_time integer, distance integer,
    hour integer, minute integer, time_hour timestamptz
) ON COMMIT DROP;
