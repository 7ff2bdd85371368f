"""The capabilities of Halfopen, one folder each."""
