#!/bin/sh
# Installs the Kafka broker for the tests, at the version that pom.xml names: tests/saga/kafka/install.sh [FOLDER]
# Needs Maven, Java 17 or newer to run it, and about 110 MB with Maven's own cache.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/../../../.cache/kafka"}
# What an older pom.xml asked for must not stay on the class path.
rm -rf "$folder"
mkdir -p "$folder"
mvn --batch-mode --quiet --strict-checksums -f "$here/pom.xml" dependency:copy-dependencies \
  "-DoutputDirectory=$(cd "$folder" && pwd)" -DincludeScope=runtime
ls "$folder"/kafka_*.jar
