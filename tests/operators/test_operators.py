"""The life of a model through its operators, one task after the other."""

from __future__ import annotations
