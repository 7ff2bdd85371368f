"""The faces of Halfopen: loops over the registry, without opinions of their own."""
