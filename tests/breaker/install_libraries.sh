#!/bin/sh
# Installs the libraries that generated policies are compiled and run with: tests/breaker/install_libraries.sh
# Needs Maven with a JDK, npm and Go, and the registries of Maven, npm and Go modules; Python's come with the oracles
# extra. What is there already in these versions is left alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)/dialects/libraries
root=$(cd "$here/../../../.." && pwd)
cache=$root/.cache/breaker-libraries
mkdir -p "$cache"

# changed FOLDER FILE: whether what FOLDER was installed by is another FILE than now.
changed() {
  ! cmp -s "$2" "$cache/$1/$(basename "$2")"
}

if changed java "$here/java/pom.xml"; then
  rm -rf "$cache/java"
  mkdir -p "$cache/java"
  mvn --batch-mode --quiet --strict-checksums -f "$here/java/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$cache/java/lib"
  # Last, so that an install that was cut short is begun again.
  cp "$here/java/pom.xml" "$cache/java/"
fi

if changed typescript "$here/typescript/package.json"; then
  rm -rf "$cache/typescript"
  mkdir -p "$cache/typescript/fresh"
  # A package.json of its own keeps npm from looking for one further up.
  cp "$here/typescript/package.json" "$cache/typescript/fresh/"
  (cd "$cache/typescript/fresh" && npm install --no-audit --no-fund --loglevel=error)
  mv "$cache/typescript/fresh/node_modules" "$cache/typescript/"
  mv "$cache/typescript/fresh/package.json" "$cache/typescript/"
fi

# Go keeps modules for all of the machine, and downloads none twice.
(cd "$here/go" && go mod download)
