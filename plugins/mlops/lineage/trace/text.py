"""A trace for people, as a tree, and for programs, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mlops.lineage.events import facets
from mlops.lineage.trace.graph import GovernedRun
from mlops.lineage.trace.trace import SCORING, Step, Trace

Link = Callable[[GovernedRun], str | None]


def as_text(found: Trace, link: Link) -> str:
    """The answer for a person: a tree, then what it amounts to."""
    side = "came from" if found.upstream else "reached"
    lines = [f"{found.about} {side} {len(found.runs)} runs (times in UTC):"]
    # Tables are looked at more often than something comes of it.
    further = [step for step in found.tree if step.next] or found.tree
    for step in further:
        lines += _lines(step, "", link)
    alone = len(found.tree) - len(further)
    if alone:
        lines.append(f"and {alone} more readings from which nothing further came")
    return "\n".join([*lines, *_summary(found)])


def _lines(step: Step, indent: str, link: Link) -> Iterator[str]:
    run = step.run
    columns = f" [{', '.join(step.columns)}]" if step.columns else ""
    again = "  (see above)" if step.seen else ""
    address = "" if step.seen else f"  {link(run) or ''}".rstrip()
    yield f"{indent}{run.at[:16].replace('T', ' ')}  {what(run)}{columns}{again}{address}"
    for item in step.next:
        yield from _lines(item, indent + "  ", link)


def _summary(found: Trace) -> Iterator[str]:
    """Versions and batches, which are what is asked for most."""
    versions = sorted({run.job for run in found.runs if run.job.endswith(".package")})
    # A batch that was published again counts with its newest rows.
    scored = [run.facets[facets.BATCH] for run in found.runs if run.job.endswith(SCORING)]
    batches = {facet["batch"]: facet["rows"] or 0 for facet in scored}
    if versions:
        names = ", ".join(job.removesuffix(".package").replace(".v", "/v") for job in versions)
        yield f"versions: {names}"
    if batches:
        yield f"batches: {len(batches)} with {sum(batches.values()):,} predictions"
    if not found.tree:
        yield "No step has read it in that state."


def as_json(found: Trace, link: Link) -> dict[str, Any]:
    """The answer for a program."""
    return {
        "about": found.about,
        "direction": "upstream" if found.upstream else "downstream",
        "runs": [
            {
                "run": run.id,
                "job": run.job,
                "at": run.at,
                "ledger": run.position[0],
                "what": what(run),
                "reads": [
                    {"namespace": n, "name": name, "version": version}
                    for (n, name), version in sorted(run.inputs.items())
                ],
                "writes": [
                    {"namespace": o.place[0], "name": o.place[1], "version": o.version}
                    for o in run.outputs
                ],
                "marquez": link(run),
            }
            for run in found.runs
        ],
        "tree": [_step_json(step) for step in found.tree],
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "run": step.run.id,
        "columns": list(step.columns),
        "seen": step.seen,
        "next": [_step_json(item) for item in step.next],
    }


def what(run: GovernedRun) -> str:
    """A run in a person's words."""
    verb = run.job.rpartition(".")[2]
    if run.job.startswith("observe."):
        return f"{run.job.removeprefix('observe.')} as it was"
    if approval := run.facets.get(facets.APPROVAL):
        counted = "" if approval["counted"] else " (did not count)"
        return f"{approval['seat']}: {approval['decision']} by {approval['approver_name']}{counted}"
    if change := run.facets.get(facets.DEPLOYMENT):
        return f"{change['action']} of version {change['version']} by {change['actor']}"
    if drift := run.facets.get(facets.DRIFT):
        return f"judged {drift['period']}: {drift['state']}"
    if batch := run.facets.get(facets.BATCH):
        rows = f", {batch['rows']:,} rows" if batch["rows"] is not None else ""
        return f"{verb} {batch['batch']}{rows}"
    return f"{verb} → " + ", ".join(output.place[1] for output in run.outputs)
