"""The pages of ``docs/reference``, made from the code: ``python -m tests.reference`` writes them.

They are kept in the repository, so that they can be read where it is hosted, and
``tests/docs/test_reference.py`` compares them with the code.
"""
