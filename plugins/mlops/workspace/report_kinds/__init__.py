"""The kinds of reports: one module a kind, with its context and when it is written."""
