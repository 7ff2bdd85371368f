#!/bin/sh
# Installs the circuit breakers that recordings are replayed on: tests/breaker/install.sh
# Needs npm, Maven with Java 17 or newer, and Go 1.26 (tests/grpc/install.sh brings one). The Python ones are in the
# extra `oracles`. What is there already stays.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
engines="$here/engines"
cache="$root/.cache/breaker"
mkdir -p "$cache/node" "$cache/java"

if ! cmp -s "$engines/node/package.json" "$cache/node/installed.json"; then
  # A package.json of its own keeps npm from looking for one further up.
  cp "$engines/node/package.json" "$cache/node/package.json"
  (cd "$cache/node" && npm install --no-audit --no-fund --loglevel=error)
  cp "$engines/node/package.json" "$cache/node/installed.json"
fi

if ! cmp -s "$engines/java/pom.xml" "$cache/java/pom.xml"; then
  # What an older pom.xml asked for must not stay on the class path.
  rm -rf "$cache/java/lib"
  mvn --batch-mode --quiet --strict-checksums -f "$engines/java/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    "-DoutputDirectory=$cache/java/lib" -DincludeScope=runtime
  cp "$engines/java/pom.xml" "$cache/java/pom.xml"
fi

# A distribution's Go comes first, as in the tests.
export PATH="$PATH:$root/.cache/go/bin"
(cd "$engines/go" && go mod download)
