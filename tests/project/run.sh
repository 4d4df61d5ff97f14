#!/usr/bin/env bash
# A project of `hookwell new` over this checkout, as a new user makes it: its tests, as it is made and then with three more sources and the handler of
# docs/handler.md, and its machine, which takes signed events. Needs `cargo build --workspace --all-targets` before, of which it uses what it can.
set -euo pipefail
cd "$(dirname "$0")/../.."
repository=$PWD
export CARGO_BUILD_BUILD_DIR=${CARGO_TARGET_DIR:-$repository/target}
hookwell=$CARGO_BUILD_BUILD_DIR/debug/hookwell
folder=$(mktemp -d)
export CARGO_TARGET_DIR=$CARGO_BUILD_BUILD_DIR/project
export CARGO_PROFILE_DEV_DEBUG=0 # the same answers, built sooner
dev=
finish() {
  [ -z "$dev" ] || kill "$dev" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

"$hookwell" new "$folder/shop" --path "$repository" --preset stripe
cd "$folder/shop"
# The same dependencies, built the same way, with the two features that tools of this checkout ask for: what is built already is not built again.
cp "$repository/Cargo.lock" .
mkdir "$folder/.cargo"
sed -n '/^\[profile\.dev\.package/,/^$/p' "$repository/Cargo.toml" >"$folder/.cargo/config.toml"
cat >>functions/local/Cargo.toml <<'TOML'

[dev-dependencies]
getrandom = { version = "0.4", features = ["std", "sys_rng"] }
libc = { version = "0.2", features = ["extra_traits"] }
TOML
cargo test --quiet

cat >>functions/ingest/sources.toml <<'TOML'

[sources.hub]
preset = "github"
secrets = ["env:HUB_SECRET"]

[sources.acme]
preset = "generic"
secrets = ["env:ACME_SECRET_NEW", "env:ACME_SECRET_OLD"]

[sources.shop]
preset = "generic"
secrets = ["ssm:/hookwell/shop"]
TOML
sed -n '/^```rust$/,/^```$/{/^```/d;p}' "$repository/docs/handler.md" >functions/process/src/handler.rs
sed -i 's|= &\[\];|= \&[("PAYMENTS_URL", "http://127.0.0.1:9"), ("PAYMENTS_TOKEN", "test")];|' functions/process/tests/handler.rs
cargo test --quiet

# The program that `cargo run` starts. `cargo run` itself would build all again, without the features that only tests ask for.
cargo build --quiet --all-targets
local=$CARGO_TARGET_DIR/debug/local
"$local" check
export PAYMENTS_URL=http://127.0.0.1:9 PAYMENTS_TOKEN=test
"$local" dev --port 0 --json >dev.json 2>dev.log &
dev=$!
while [ ! -s dev.json ]; do kill -0 "$dev"; sleep 0.1; done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' dev.json)
"$local" send acme --to "$url"
"$local" send stripe --to "$url"
echo 'a new project: good'
