#!/bin/sh
# Installs the Claude Code CLI for the tests in this folder: tests/claude_code/install.sh [FOLDER]
# Needs npm and about 250 MB. The CLI is a native binary, so any Node that runs npm will do, although the
# package asks for 22; without an exact version npm picks an old release that allows the Node it runs on.
set -eu
version=2.1.330
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/../../.cache/claude-code"}
mkdir -p "$folder"
cd "$folder"
# A package.json of its own keeps npm from looking for one further up.
[ -f package.json ] || printf '{"private": true}\n' > package.json
npm install --no-audit --no-fund --loglevel=error "@anthropic-ai/claude-code@$version"
# npm may be set up to run no install scripts; this one puts the binary in its place and does no harm twice.
node node_modules/@anthropic-ai/claude-code/install.cjs
node_modules/.bin/claude --version
