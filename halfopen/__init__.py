"""The core of Halfopen: vocabulary, registry, checkers. It knows no MCP, no template and no chat."""
