#!/usr/bin/env bash
# Deploys the real template with the real release binaries to an AWS on this machine (MiniStack) and uses it as senders
# do. Installs the tools of requirements.txt below target/tools. `--help` says more.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=$PWD/tests/deploy
python=$PWD/target/tools/python

if ! python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || ! command -v openssl >/dev/null; then
  printf 'skipped: the deploy test needs Python 3.11 or newer with venv, and openssl\n'
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 0
fi
case " $* " in *' --help '* | *' -h '*) exec python3 -B "$tests/main.py" "$@" ;; esac

export HOOKWELL="${HOOKWELL:-$PWD/target/debug/hookwell}"
if [[ " $* " != *' --build '* && ! -x "$HOOKWELL" ]]; then
  printf 'no binary at %s: cargo build -p hookwell-cli, or set HOOKWELL\n' "$HOOKWELL"
  exit 1
fi

# Installs again only when the list changed. --no-deps: the list is whole, and MiniStack asks for an older botocore than SAM.
if ! cmp -s "$tests/requirements.txt" "$python/installed.txt"; then
  printf 'installing SAM, cargo-lambda and MiniStack below target/tools\n'
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$tests/requirements.txt"
  cp "$tests/requirements.txt" "$python/installed.txt"
fi
exec "$python/bin/python" -B "$tests/main.py" "$@"
