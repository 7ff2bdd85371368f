"""What the orchestrator's log can say: of a run, and of each of its steps."""

RUNNING, COMPENSATING, COMMITTED, CANCELLED = range(4)
IDLE, SENT, DONE, UNDOING, UNKNOWN, ABANDONED, SETTLED = range(7)
PHASE = "phase"
