#!/usr/bin/env bash
# The page of `hookwell dev` and of `hookwell console` in a real Chromium, and what somebody else's page can do to the machine. Installs
# playwright-core below target/console; the browser is the system's (`apt-get install chromium`). SCREENSHOTS=DIR keeps pictures, dark and light and of several widths, there.
# `--speed` measures it with 100,000 events in place of that, and prints the figures.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=$PWD/tests/console
installed=$PWD/target/console
HOOKWELL=$(realpath "${HOOKWELL:-target/debug/local}")
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
export HOOKWELL CHROMIUM NODE_OPTIONS=

for tool in node npm "${CHROMIUM:-chromium}"; do
  if ! command -v "$tool" >/dev/null; then
    printf 'skipped: the page is tested with %s, which is not installed\n' "$tool"
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
  fi
done
if [ ! -x "$HOOKWELL" ]; then
  printf 'no binary at %s: cargo build, or set HOOKWELL\n' "$HOOKWELL"
  exit 1
fi

mkdir -p "$installed"
cd "$installed"
# Installs again only when the list changed; the list is copied last, so that half an installation does not count.
if ! cmp -s "$tests/package-lock.json" installed.json; then
  cp "$tests/package.json" "$tests/package-lock.json" .
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp "$tests/package-lock.json" installed.json
fi
# A module looks for packages beside itself.
cp "$tests"/*.mjs .
PROFILE=$(mktemp -d)
# In memory where there is such a folder: a disk takes minutes for 100,000 events.
DATA=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
export PROFILE DATA
trap 'rm -rf "$PROFILE" "$DATA"' EXIT
if [ "${1:-}" = --speed ]; then
  node speed.mjs
else
  node foreign.mjs
  node page.mjs
  node account.mjs
fi
