#!/bin/sh
# Said at the start of a session where uv is missing: without it Claude Code can't start the server, and only says ENOENT.
command -v uv >/dev/null 2>&1 && exit 0
why="Halfopen: its server can't start, because uv is not on the PATH. Install uv (https://docs.astral.sh/uv/, or pip install uv), then restart Claude Code."
printf '{"systemMessage": "%s", "hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "%s"}}\n' \
  "$why" "$why Until then its tools are missing; tell the user so if they are asked for."
