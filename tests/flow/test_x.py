import shutil, pytest
from pathlib import Path
from tests.flow.small import DAY, AS_OF
from tests.flow.life import added, elsewhere, counts
from mlops.errors import MlopsError
from mlops.store.connect import Store
S="models/late.yml"; F="sql/late/features.sql"; O="sql/late/outcomes.sql"
FRESH = {
 "unknown key": lambda l: l.edit(S, {"  seed":"  seed"} if 0 else {"  key: flight_id": "  ky: flight_id", "shards: 2":"shards: two"}),
 "sql parse": lambda l: l.edit(F, {"SELECT\n": "SELEC\n"}),
 "sql lacks col": lambda l: l.edit(F, {"    origin,\n": ""}),
 "sql no table": lambda l: l.edit(F, {"FROM flights": "FROM flihgts"}),
 "sql star lacks": lambda l: l.edit(F, {"""    flight_id,
    scheduled_departure,
    carrier,
    origin,
""": "   *,\n", "CAST(extract(hour FROM scheduled_departure) AS int) AS hour":"1 AS our"}),
 "no rows": lambda l: l.edit(O, {"least(": "false AND least("}),
 "const label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "true"}),
 "null label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "CASE WHEN flight_id % 2 = 0 THEN dep_delay > 30 END"}),
 "text label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "'yes'"}),
 "int label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "CASE WHEN dep_delay > 30 THEN 1 ELSE 0 END"}),
 "int5 label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "CASE WHEN dep_delay > 30 THEN 5 ELSE 0 END"}),
 "float label": lambda l: l.edit(O, {"coalesce(actual_arrival >= scheduled_arrival + INTERVAL '30 minutes', true)": "CAST(dep_delay AS float8) / 7"}),
 "null feature": lambda l: l.edit(F, {"CAST(distance AS float8)": "CAST(NULL AS float8)"}),
 "untyped null feature": lambda l: l.edit(F, {"CAST(distance AS float8)": "NULL"}),
 "null cat": lambda l: l.edit(F, {"    origin,": "   CAST(NULL AS text) AS  origin,"}),
 "text num": lambda l: l.edit(F, {"CAST(distance AS float8)": "CAST(distance AS text)"}),
 "float cat": lambda l: l.edit(F, {"    origin,": "   CAST(distance AS float8) AS  origin,"}),
 "numeric": lambda l: l.edit(F, {"CAST(distance AS float8)": "CAST(distance AS numeric)"}),
 "dup keys": lambda l: l.edit(F, {"    flight_id,": "    flight_id / 2 * 2 AS flight_id,"}),
 "null keys": lambda l: l.edit(F, {"    flight_id,": "    nullif(flight_id % 3, 0) + flight_id AS flight_id,"}),
 "time date": lambda l: l.edit(F, {"    scheduled_departure,": "    CAST(scheduled_departure AS date) AS scheduled_departure,"}),
 "time text": lambda l: l.edit(F, {"    scheduled_departure,": "    CAST(scheduled_departure AS text) AS scheduled_departure,"}),
 "time null": lambda l: l.edit(F, {"    scheduled_departure,": "    CASE WHEN flight_id % 2 = 0 THEN scheduled_departure END AS scheduled_departure,"}),
 "key float": lambda l: l.edit(F, {"    flight_id,": "    CAST(flight_id AS float8) AS flight_id,"}),
 "estimator missing": lambda l: l.edit(S, {"sklearn.ensemble.HistGradientBoostingClassifier":"sklearn.ensemble.HistGradientBoosting"}),
 "estimator params": lambda l: l.edit(S, {"max_leaf_nodes: 7":"max_leaf: 7"}),
 "estimator params2": lambda l: l.edit(S, {"max_leaf_nodes: 7":"max_leaf_nodes: -7"}),
 "estimator regr": lambda l: l.edit(S, {"sklearn.ensemble.HistGradientBoostingClassifier":"sklearn.ensemble.HistGradientBoostingRegressor"}),
 "custom": lambda l: l.edit(S, {"estimator: sklearn.ensemble.HistGradientBoostingClassifier":"factory: tests.flow.factories.home_made", "params: {max_iter: 5, max_leaf_nodes: 7}": "params: {}"}),
 "lambda": lambda l: l.edit(S, {"estimator: sklearn.ensemble.HistGradientBoostingClassifier":"factory: tests.flow.factories.with_a_lambda", "params: {max_iter: 5, max_leaf_nodes: 7}": "params: {}"}),
 "factory raises": lambda l: l.edit(S, {"estimator: sklearn.ensemble.HistGradientBoostingClassifier":"factory: tests.flow.factories.broken", "params: {max_iter: 5, max_leaf_nodes: 7}": "params: {}"}),
 "gate missed": lambda l: l.edit(S, {"at_least: 0.55": "at_least: 0.99"}),
 "nan": lambda l: l.edit(S, {"sklearn.ensemble.HistGradientBoostingClassifier":"sklearn.linear_model.LogisticRegression", "params: {max_iter: 5, max_leaf_nodes: 7}": "params: {}"}),
 "no policy": lambda l: l.edit(S, {"deploy:\n": "deploy:\n  policy: strict\n"}),
 "no test rows": lambda l: l.edit(O, {"WHERE scheduled": "WHERE scheduled_departure < '2013-06-27' AND scheduled"}),
 "no train rows": lambda l: l.edit(O, {"WHERE scheduled": "WHERE scheduled_departure > '2013-06-28' AND scheduled"}),
 "inf feature": lambda l: l.edit(F, {"CAST(distance AS float8)": "CASE WHEN flight_id % 1000 = 0 THEN 'infinity'::float8 ELSE 1 END"}),
 "cat ids": lambda l: l.edit(F, {"    origin,": "   CAST(flight_id AS text) AS  origin,"}),
 "long name": lambda l: None,
}
@pytest.mark.parametrize("case", FRESH)
def test_fresh(fresh, case):
    FRESH[case](fresh); before=fresh.content()
    try: r=fresh.release(AS_OF); said=f"OK {r.training}"
    except MlopsError as e: said=f"{type(e).__name__}: {e}"
    except Exception as e: said=f"!!! {type(e).__name__}: {e}"
    with open("/tmp/lab/ft/fresh.txt","a") as f: f.write(f"## {case}\n   {said}\n   {added(before, fresh.content())}\n".replace(str(fresh.include), "@"))
