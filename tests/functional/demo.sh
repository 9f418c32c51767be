#!/usr/bin/env bash
# The story of Fermata, unattended: put, replicated, pause, held, restart, still held, resume, replicated.
# Checks each step; exits 0 if all came true.   usage: demo.sh PATH_TO_FERMATA
set -euo pipefail

fermata=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
FERMATA_QUICKSTART_DIR=$(mktemp -d)
export FERMATA_QUICKSTART_DIR
dir=$FERMATA_QUICKSTART_DIR
mkdir -p "$dir"/{source/photos,paris,london,data}
daemon=

finish() {
  local result=$?
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  [ $result -eq 0 ] || { echo "--- the daemon's last lines"; tail -20 "$dir/daemon.log" 2>/dev/null || true; }
  rm -rf "$dir"
  exit $result
}
trap finish EXIT

step() { printf '\n* %s\n' "$*"; }
run() { echo "  \$ $*"; "$@" | sed 's/^/    /'; }

# eventually WHAT COMMAND...: tries for up to 60 s.
eventually() {
  local what=$1
  shift
  for _ in $(seq 600); do
    if "$@" >/dev/null 2>&1; then
      echo "  ok: $what"
      return 0
    fi
    sleep 0.1
  done
  echo "  FAILED: $what" >&2
  return 1
}

same() { cmp -s "$dir/source/photos/$2" "$dir/$1/photos/$2"; }

start() {
  rm -f "$dir/data/rest.address"
  "$fermata" serve --config "$here/config/quickstart.yaml" --port 0 2>>"$dir/daemon.log" &
  daemon=$!
  eventually "the daemon is ready" ready
}
ready() {
  [ -s "$dir/data/rest.address" ] || return 1
  FERMATA_URL=$(cat "$dir/data/rest.address")
  export FERMATA_URL
  curl -fsS "$FERMATA_URL/readyz"
}

step "Start the daemon: one source folder, two targets"
start

step "Put an object: it appears in both targets"
echo "a sunrise" >"$dir/source/photos/sunrise.txt"
eventually "paris has it" same paris sunrise.txt
eventually "london has it" same london sunrise.txt

step "Pause paris, as for a maintenance there"
run "$fermata" pause crr paris --reason "maintenance" --wait 30s
echo "a noon" >"$dir/source/photos/noon.txt"
eventually "london goes on" same london noon.txt
same paris noon.txt && { echo "  FAILED: paris was written to while paused" >&2; exit 1; }
echo "  ok: paris holds"

step "Restart the daemon (kill -9)"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
start
echo "a dusk" >"$dir/source/photos/dusk.txt"
eventually "london goes on" same london dusk.txt
[ ! -e "$dir/paris/photos/noon.txt" ] && [ ! -e "$dir/paris/photos/dusk.txt" ] || { echo "  FAILED: paris did not hold over the restart" >&2; exit 1; }
echo "  ok: paris still holds"
run "$fermata" status crr

step "Resume paris: what was held goes over, in order"
run "$fermata" resume crr paris
eventually "paris has noon" same paris noon.txt
eventually "paris has dusk" same paris dusk.txt
run "$fermata" crr object photos/noon.txt

step "Stop it"
kill -TERM "$daemon"
wait "$daemon" || { echo "  FAILED: it ended with $?" >&2; exit 1; }
daemon=
echo "  ok: it drained and ended with 0"
