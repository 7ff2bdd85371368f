"""Readers: what somebody understands who sees only a dialect's files. They import nothing of `dialects`."""
