"""The eight questions of an auditor, each answered over HTTP alone.

They are asked of whatever answers at the URL: a real Marquez, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mlops.lineage.marquez.client import Json, Marquez
from tests.lineage.node_ids import dataset_id, field_id, split


class MarquezPages(Marquez):
    """What somebody who looks at a Marquez can ask it besides; the library asks none of it."""

    def run_facets(self, run_id: str, kind: Literal["run", "job"] = "run") -> Json | None:
        """The facets of a run, or of its job as the run saw it: ``{runId, facets}``."""
        return self.get("/jobs/runs", run_id, "facets", type=kind)

    def dataset_versions(self, namespace: str, name: str, *, limit: int = 100) -> Json | None:
        """The versions of a dataset, newest first: ``{versions, totalCount}``."""
        return self.get("/namespaces", namespace, "datasets", name, "versions", limit=limit)

    def lineage(self, node_id: str, *, depth: int = 1) -> Json | None:
        """The nodes around a node: ``{graph: [{id, type, data, inEdges, outEdges}]}``."""
        return self.get("/lineage", nodeId=node_id, depth=depth)

    def column_lineage(
        self, node_id: str, *, depth: int = 2, with_downstream: bool = False
    ) -> Json | None:
        """The columns around a dataset or a column: ``{graph: [{id, type, data, ...}]}``.

        :param depth: Marquez lists every *path* of that length, so the time grows without bounds;
            its own default, 20, does not end. From 4 on it turns corners and names siblings.
        """
        downstream = "true" if with_downstream else "false"
        return self.get("/column-lineage", nodeId=node_id, depth=depth, withDownstream=downstream)

    def upstream(self, run_id: str, *, depth: int = 10) -> Json | None:
        """The runs that a run depends on: ``{runs: [{job, run, inputs, outputs}]}``."""
        return self.get("/runlineage/upstream", runId=run_id, depth=depth)


@dataclass(frozen=True)
class Auditor:
    """Somebody with a browser and no right on any database.

    :param jobs: namespace of the governed jobs.
    :param ours: namespace of our own datasets.
    :param tables: namespace of the warehouse's tables.
    """

    marquez: MarquezPages
    jobs: str
    ours: str
    tables: str

    def runs(self, job: str) -> list[Json]:
        """All runs of a job, oldest first."""
        found = self.marquez.job_runs(self.jobs, job)
        return list(reversed(found["runs"])) if found else []

    def what_trained(self, model: str, version: int) -> dict[str, Any]:
        """1. Which data, in which version and which columns, trained it?"""
        (package,) = self.runs(f"{model}.v{version}.package")
        upstream = self.marquez.upstream(package["id"], depth=10) or {"runs": []}
        snapshot = self._upstream_run(upstream, ".snapshot")
        read = {item["name"]: item for item in _reads(snapshot) if item["namespace"] == self.tables}
        return {
            "jobs": {run["job"]["name"] for run in upstream["runs"]},
            "tables": read,
            "columns": {
                (name, column) for name, item in read.items() for column in item["columns"]
            },
        }

    def _upstream_run(self, upstream: Json, verb: str) -> Json:
        found = {run["run"]["id"] for run in upstream["runs"] if run["job"]["name"].endswith(verb)}
        (run_id,) = found
        run = self.marquez.run(run_id)
        assert run is not None
        return run

    def how_trained(self, model: str, version: int) -> dict[str, Any]:
        """2. Which code, feature SQL and parameters?"""
        (package,) = self.runs(f"{model}.v{version}.package")
        upstream = self.marquez.upstream(package["id"], depth=10) or {"runs": []}
        train = self._upstream_run(upstream, ".train")
        snapshot = self._upstream_run(upstream, ".snapshot")
        of_run = self.marquez.run_facets(train["id"], "run") or {}
        of_job = self.marquez.run_facets(snapshot["id"], "job") or {}
        return {
            "model": of_run["facets"]["mlops_model"],
            "parameters": of_run["facets"]["executionParameters"]["parameters"],
            "sql": of_job["facets"]["sql"]["query"],
        }

    def which_tests(self, model: str, version: int) -> list[Json]:
        """3. Which tests did it pass?"""
        (package,) = self.runs(f"{model}.v{version}.package")
        upstream = self.marquez.upstream(package["id"], depth=10) or {"runs": []}
        validate = self._upstream_run(upstream, ".validate")
        tests: list[Json] = validate["facets"]["test"]["tests"]
        return tests

    def who_approved(self, model: str, version: int) -> list[Json]:
        """4. Who approved it, when, on what evidence; and who tried without being counted?"""
        jobs = self._jobs_at(self.ours, f"models/{model}/versions/{version}")
        found = [
            run["facets"]["mlops_approval"]
            for job in jobs
            if job.startswith(f"{model}.v{version}.approve_")
            for run in self.runs(job)
        ]
        return sorted(found, key=lambda approval: approval["decided_at"])

    def what_was_live(self, model: str) -> list[str]:
        """5. What is and was in production, in order?"""
        found = self.marquez.dataset_versions(self.ours, f"deployments/{model}/prod") or {}
        return [
            version["facets"]["version"]["datasetVersion"]
            for version in reversed(found["versions"])
        ]

    def batches_of(self, model: str, version: int) -> list[str]:
        """6. Which predictions came from it?"""
        return [
            run["facets"]["mlops_batch"]["batch"] for run in self.runs(f"{model}.v{version}.score")
        ]

    def behind_batch(self, model: str, version: int, batch: str) -> set[str]:
        """6, the other way. Which model, signatures, snapshot and tables made this batch?"""
        (run,) = (
            run
            for run in self.runs(f"{model}.v{version}.score")
            if run["facets"]["mlops_batch"]["batch"] == batch
        )
        upstream = self.marquez.upstream(run["id"], depth=20) or {"runs": []}
        return {found["job"]["name"] for found in upstream["runs"]}

    def reached_by(self, table: str, column: str) -> set[tuple[str, str, str]]:
        """7. Which models and predictions are affected by a column?

        Edge by edge, since one question about the whole way would not end.
        """
        reached: set[str] = set()
        todo = [field_id(self.tables, table, column)]
        while todo:
            node_id = todo.pop()
            if node_id in reached:
                continue
            reached.add(node_id)
            graph = self.marquez.column_lineage(node_id, with_downstream=True) or {"graph": []}
            todo += [
                edge["destination"]
                for node in graph["graph"]
                if node["id"] == node_id
                for edge in node["outEdges"]
            ]
        nodes = map(split, reached)
        return {(node.namespace, node.name, node.field or "") for node in nodes}

    def used_load(self, table: str, state: str) -> set[str]:
        """8. A load was bad: which snapshots and batches read the table in that state?"""
        return {
            job
            for job in self._jobs_at(self.tables, table)
            for run in self.runs(job)
            for item in _reads(run)
            if (item["name"], item["version"]) == (table, state)
        }

    def _jobs_at(self, namespace: str, name: str) -> Iterator[str]:
        """The jobs that read or write a dataset."""
        graph = self.marquez.lineage(dataset_id(namespace, name), depth=1) or {"graph": []}
        for node in graph["graph"]:
            if node["type"] == "JOB" and node["data"]["namespace"] == self.jobs:
                yield node["data"]["name"]


def _reads(run: Json) -> list[Json]:
    """What exactly a run read, input by input."""
    found: list[Json] = run["facets"].get("mlops_read", {}).get("inputs", [])
    return found
