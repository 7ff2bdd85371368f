"""What a policy does to the load: clients, retries, breakers and a dependency that fails in eight ways."""
