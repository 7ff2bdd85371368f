"""Sagas: from a spec to a design that a model checker has tried to break, and to code that runs."""
