"""The pages to read: one function for each step of a model's life.

Each step loads by id, calls ``core``, saves, and returns a small frozen result with ids in it.
The same function is run by an operator, a test and the command line.

    release   intake → snapshot → check_data → train → validate → package → document
              → sign_off (one for each seat) → deploy
    score     check_input → score (a shard each) → publish
    monitor   measure → judge → document
"""
