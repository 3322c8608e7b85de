import shutil, pytest
from dataclasses import replace
from pathlib import Path
from tests.flow.small import DAY, AS_OF
from tests.flow.life import added, elsewhere, counts
from mlops.core.period import parse
from mlops.errors import MlopsError
from mlops.store.connect import Store
from mlops.flow.measure import measure
from mlops.flow.judge import judge
from mlops.flow.publish import publish
from mlops.flow.score import score
from mlops.flow.plan import Scored
S="models/late.yml"; F="sql/late/features.sql"; O="sql/late/outcomes.sql"
W="WHERE scheduled_departure >= '2013-07-01' AND scheduled_departure < '2013-07-02'"
def art(l, digest): return Path(l.workspace.artifacts.location(digest))
def pk(l): return l.value("select package_digest from mlops.version")
def damage(l):
    p=art(l,pk(l)); b=bytearray(p.read_bytes()); b[len(b)//2]^=1; p.write_bytes(b)
def planned(l):
    p=l.plan(DAY); sc=[score(l.workspace, plan=p, shard=s) for s in p.shards]; return p, sc
def sql(*q):
    return lambda l: (l.run(*q), l.window(DAY))
def pub_missing(l):
    p,sc=planned(l); publish(l.workspace, plan=p, scored=sc[:1])
def pub_other(l):
    p,sc=planned(l); l.run("DELETE FROM ml.late_predictions WHERE flight_id=(select min(flight_id) from ml.late_predictions)"); publish(l.workspace, plan=p, scored=sc)
def meas(change):
    def f(l):
        l.publish(DAY); l.run(change); l._b=None; return measure(l.workspace, model="late", window=DAY)
    return f
CASES = {
 "unseen above": sql(f"UPDATE flights SET carrier='ZZ' {W} AND flight_id % 20 = 0"),
 "unseen below": sql(f"UPDATE flights SET carrier='ZZ' {W} AND flight_id % 100 = 0"),
 "dup": sql("ALTER TABLE flights DROP CONSTRAINT flights_pkey CASCADE", f"INSERT INTO flights SELECT * FROM flights {W} ORDER BY flight_id LIMIT 3"),
 "null key": sql("ALTER TABLE flights DROP CONSTRAINT flights_pkey CASCADE","ALTER TABLE flights ALTER flight_id DROP NOT NULL", f"UPDATE flights SET flight_id=NULL {W} AND flight_id % 100 = 0"),
 "type": sql("ALTER TABLE flights ALTER carrier TYPE varchar(3)"),
 "type uuid": sql("ALTER TABLE flights ALTER flight_id TYPE text"),
 "gone": sql("ALTER TABLE flights DROP carrier"),
 "renamed": sql("ALTER TABLE flights RENAME TO flight"),
 "none": sql(f"DELETE FROM flights {W}"),
 "few": sql(f"DELETE FROM flights {W} AND scheduled_departure > '2013-07-01 11:00'"),
 "null feature": sql(f"ALTER TABLE flights ALTER distance DROP NOT NULL", f"UPDATE flights SET distance=NULL {W}"),
 "pkg missing": lambda l: (art(l,pk(l)).unlink(), l.plan(DAY)),
 "pkg changed": lambda l: (damage(l), l.plan(DAY)),
 "pkg changed score": lambda l: (lambda p: (damage(l), score(l.workspace, plan=p, shard=p.shards[0])))(l.plan(DAY)),
 "publish missing": pub_missing, "publish other": pub_other,
 "measure unscored": lambda l: measure(l.workspace, model="late", window=parse("2013-07-02","day")),
 "measure no label": meas(f"UPDATE flights SET actual_arrival=NULL, scheduled_arrival='2199-01-01'"),
 "measure no table": meas(f"ALTER TABLE flights RENAME TO flight"),
 "measure arrival gone": meas(f"ALTER TABLE flights DROP actual_arrival"),
 "measure rows gone": meas(f"DELETE FROM flights"),
 "judge unknown": lambda l: judge(l.workspace, measurement="abc"),
 "deploy damaged": lambda l: (damage(l), l.deploy(1)),
 "deploy unknown": lambda l: l.deploy(7),
 "no store": lambda l: elsewhere(l, store=Store("postgresql://x:pw@127.0.0.1:1/none")).plan(DAY),
 "no wh": lambda l: elsewhere(l, warehouse_url="postgresql://x:pw@127.0.0.1:1/none").plan(DAY),
 "not migrated": lambda l: (l.run("DROP SCHEMA mlops CASCADE"), l.plan(DAY)),
 "other rev": lambda l: (l.run("UPDATE mlops.alembic_version SET version_num='9999'"), l.plan(DAY)),
}
@pytest.mark.parametrize("case", CASES)
def test_small(small, case):
    before=small.content()
    try: r=CASES[case](small); said=f"OK {r}"
    except MlopsError as e: said=f"{type(e).__name__}: {e}"
    except Exception as e: said=f"!!! {type(e).__name__}: {e}"
    with open("/tmp/lab/ft/small.txt","a") as f: f.write(f"## {case}\n   {said}\n   {added(before, small.content())}\n".replace(str(small.include.parent), "@"))
