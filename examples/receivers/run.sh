#!/usr/bin/env bash
# The receivers take what Hookwell sends and refuse what somebody forged. Each runs behind `hookwell dev --forward-to`.
# Installs the official libraries below target/receivers.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/examples/receivers
installed=$PWD/target/receivers
hookwell=$(realpath "${HOOKWELL:-target/debug/hookwell}")
# The secret is made up for this run.
WEBHOOK_SECRET=whsec_$(head -c 32 /dev/urandom | base64)
export WEBHOOK_SECRET HOOKWELL_FORWARD_SECRET=$WEBHOOK_SECRET

for tool in node npm python3 curl; do
  if ! command -v "$tool" >/dev/null; then
    printf 'skipped: the receivers need %s, which is not installed\n' "$tool"
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
  fi
done
if [ ! -x "$hookwell" ]; then
  printf 'no binary at %s: cargo build --bin hookwell, or set HOOKWELL\n' "$hookwell"
  exit 1
fi

mkdir -p "$installed/node"
cp "$here/node/package.json" "$here/node/package-lock.json" "$here/node/server.mjs" "$installed/node/"
(cd "$installed/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
[ -d "$installed/python" ] || python3 -m venv "$installed/python"
"$installed/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/python/requirements.txt"

children=()
trap 'for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done' EXIT

# Waits until a file holds a line that begins so, and prints the line.
line() {
  for _ in $(seq 300); do
    if grep -m 1 "^$2" "$1"; then return; fi
    sleep 0.1
  done
  printf 'no line %s in %s:\n' "$2" "$1" >&2
  cat "$1" >&2
  return 1
}

failed=0
# A receiver by its name, a port and its command.
try() {
  local name=$1 port=$2; shift 2
  local out=$installed/$name.out dev=$installed/$name.dev url status
  : >"$out"
  PORT=$port "$@" >"$out" 2>&1 & children+=($!)
  line "$out" ready >/dev/null
  "$hookwell" dev --port 0 --json --sources "$here/sources.toml" --forward-to "http://127.0.0.1:$port/hooks" \
    >"$dev" 2>"$dev.log" & children+=($!)
  url=$(line "$dev" '{' | sed 's/.*"url":"\([^"]*\)".*/\1/')
  "$hookwell" send shop --sources "$here/sources.toml" --operation create --to "$url" >/dev/null
  if line "$out" 'shop create ' >/dev/null; then printf 'ok   %s takes a signed event\n' "$name"; else failed=1; fi
  status=$(curl --silent --output /dev/null --write-out '%{http_code}' "http://127.0.0.1:$port/hooks" \
    --header 'webhook-id: shop#1' --header "webhook-timestamp: $(date +%s)" --header 'webhook-signature: v1,AAAA' --data '{}')
  if [ "$status" = 400 ]; then printf 'ok   %s refuses a forged one\n' "$name"; else printf 'FAIL %s answered %s\n' "$name" "$status"; failed=1; fi
}

try node "${NODE_PORT:-39301}" node "$installed/node/server.mjs"
try python "${PYTHON_PORT:-39302}" "$installed/python/bin/python" "$here/python/server.py"
exit "$failed"
