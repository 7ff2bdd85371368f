"""Circuit breakers: one resilience intent for a call, spelled for every library and mesh, simulated before it ships."""
