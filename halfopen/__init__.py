"""The core of Halfopen: vocabulary, registry, checkers. It knows no MCP, no template and no chat."""

# Written here and not read from the installed distribution: to look that up costs more than all else of --version.
__version__ = "0.1.0"
