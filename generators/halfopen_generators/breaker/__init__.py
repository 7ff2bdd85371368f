"""Circuit breakers: one resilience intent, spelled for many libraries and simulated as each of them behaves."""
