"""The protocol of PROTOCOL.md as guarded commands, and what a run that breaks it is told as."""
