"""A server of acme.orders.v1 and a client of it, as designed. `generate.py` makes `pb`."""
