"""One governed life for every model, on Apache Airflow and Postgres.

A person describes a model in one spec; four Airflow DAGs run its life:

    release   intake       register the spec: its digest is its identity
              snapshot     freeze the rows that training may see
              check_data   refuse rows that break the contract
              train        fit every candidate, record the losers too
              validate     measure them against criteria registered before training
              package      one file with one SHA-256
              document     a report that an approver can read
              approval     named people sign that very SHA-256
              deploy       verify every signature again, then make the version live
    score     check_input, score in shards, publish one batch all at once
    monitor   drift, performance and the KPI of each window, and a report
    control   roll back, stop, resume: a person's decision with a reason

Each step writes its fact, its ledger entry and its lineage in one transaction, and believes
recorded facts only. The steps are functions of :mod:`mlops.flow`; read them in the order above.
"""

DISTRIBUTION = "airflow-mlops"
__version__ = "0.1.0"
