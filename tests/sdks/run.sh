#!/usr/bin/env bash
# The official SDKs agree with Hookwell: each verifies what `hookwell sign` signs and refuses a changed body, and
# `hookwell verify` does the same with what they sign. The types of events that they list are all decided on purpose.
# Installs the SDKs below target/sdks.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=$PWD/tests/sdks
installed=$PWD/target/sdks
HOOKWELL=$(realpath "${HOOKWELL:-target/debug/hookwell}")
export HOOKWELL SOURCES=$tests/sources.toml TEST_KEYS=$PWD/crates/hookwell-sandbox/src/test-keys
export PYTHONUTF8=1 NODE_OPTIONS=

for tool in node npm python3; do
  if ! command -v "$tool" >/dev/null; then
    printf 'skipped: the SDKs need %s, which is not installed\n' "$tool"
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
  fi
done
if [ ! -x "$HOOKWELL" ]; then
  printf 'no binary at %s: cargo build -p hookwell-cli, or set HOOKWELL\n' "$HOOKWELL"
  exit 1
fi

mkdir -p "$installed/npm"

# Installs again only when the list changed; a list is copied last, so that half an installation does not count.
install_npm() {
  cd "$installed/npm"
  if ! cmp -s "$tests/package-lock.json" installed.json; then
    cp "$tests/package.json" "$tests/package-lock.json" .
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$tests/package-lock.json" installed.json
  fi
}
install_pypi() {
  cd "$installed"
  if ! cmp -s "$tests/requirements.txt" pypi/installed.txt; then
    rm -rf pypi
    python3 -m venv pypi
    pypi/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement "$tests/requirements.txt"
    cp "$tests/requirements.txt" pypi/installed.txt
  fi
}
(install_npm) >"$installed/npm.log" 2>&1 & npm=$!
(install_pypi) >"$installed/pypi.log" 2>&1 & pypi=$!
wait "$npm" || { cat "$installed/npm.log"; exit 1; }
wait "$pypi" || { cat "$installed/pypi.log"; exit 1; }

# A module looks for packages beside itself.
cp "$tests/node.mjs" "$installed/npm/"
results=$installed/results
: >"$results"
ended=0
(cd "$installed/npm" && node node.mjs) | tee -a "$results" || ended=1
(cd "$installed/npm" && node "$tests/types.mjs") | tee -a "$results" || ended=1
"$installed/pypi/bin/python" "$tests/python.py" | tee -a "$results" || ended=1

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
# A driver that broke off said nothing about the rest.
if [ "$ended" = 1 ]; then failed=$((failed + 1)); fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
