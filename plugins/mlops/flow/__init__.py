"""The pages to read: one function for each step of a model's life.

    release   intake → snapshot → check_data → train → validate → package → document
              → sign_off, one for each seat → deploy
    score     check_input → score, one for each shard → publish
    monitor   measure → judge → monitor_report
    control   control
    all       governance: ledger, overdue reviews, ending signatures; deliver: lineage to Marquez

Each module is one step, named for its task, or a part that several steps share. A step takes a
:class:`~mlops.workspace.workspace.Workspace`, which holds the store, the artifacts, the specs and
the warehouse, and ids of what earlier steps recorded. It reads those records, never the state of a
task; calls a pure function of :mod:`mlops.core`; writes the fact, its ledger entry and its lineage
in one transaction; and returns a small frozen result of :mod:`mlops.workspace.results`, which goes
into an XCom. Run again with the same ids, it finds its own record and returns the same result.

An operator of :mod:`mlops.operators` calls a step, and so does a test. The signatures between
``document`` and ``deploy`` are taken by :mod:`mlops.approvals`, through the sensor.
"""
