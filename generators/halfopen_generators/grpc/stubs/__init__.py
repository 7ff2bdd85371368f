"""Stubs: a server to fill in and a client for a designed API, a module of this folder for each language."""
