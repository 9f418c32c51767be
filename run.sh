#!/usr/bin/env bash
# Installs what is missing, builds, and serves the quickstart: two filesystem targets that replicate a source folder.
#   ./run.sh               serve in the foreground (Ctrl-C ends it)
#   ./run.sh --demo        tell the whole story unattended, check each step, exit with the result
#   ./run.sh --cluster     serve three nodes that share ZooKeeper, Redis and Kafka, all started here (Ctrl-C ends all)
#   ./run.sh --build-only  stop after the build
# FERMATA_QUICKSTART_DIR: where sources, targets and state live (default build/quickstart; --demo uses a fresh one).
# FERMATA_CLUSTER_DIR: the same for --cluster (default build/cluster), emptied at each start, as the servers start empty.
# FERMATA_PORTS: the ports of --cluster's nodes (default "8901 8902 8903").
set -euo pipefail
cd "$(dirname "$0")"
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true  # a clone elsewhere finds what was compiled here

mode=serve
case "${1-}" in
  "") ;;
  --demo) mode=demo ;;
  --cluster) mode=cluster ;;
  --build-only) mode=build ;;
  *) echo "usage: ./run.sh [--demo | --cluster | --build-only]" >&2; exit 2 ;;
esac

packaging/install-deps.sh build
if [ "$mode" = cluster ]; then packaging/install-deps.sh servers; fi
if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -G Ninja -Wno-dev >build.log.tmp 2>&1 || { cat build.log.tmp; rm -f build.log.tmp; exit 1; }
  rm -f build.log.tmp
fi
cmake --build --preset release --target fermata shipped_plugins
[ "$mode" = build ] && exit 0

fermata=$PWD/build/release/bin/fermata
if [ "$mode" = demo ]; then
  exec tests/functional/demo.sh "$fermata"
fi
if [ "$mode" = cluster ]; then
  dir=$(realpath -m "${FERMATA_CLUSTER_DIR:-build/cluster}")
  rm -rf "$dir"/node-* "$dir"/{source,paris,london}
  echo "starting Redis, ZooKeeper and Kafka"
  exec /usr/bin/python3 tests/support/servers.py run -- tests/support/serve_cluster.sh "$fermata" "$dir"
fi

export FERMATA_QUICKSTART_DIR=$(realpath -m "${FERMATA_QUICKSTART_DIR:-build/quickstart}")
dir=$FERMATA_QUICKSTART_DIR
mkdir -p "$dir"/{source/photos,paris,london,data}
if [ -z "$(ls -A "$dir/source/photos")" ]; then
  for n in 1 2 3; do echo "sample object $n" >"$dir/source/photos/sample-$n.txt"; done
fi

cat <<TEXT

Fermata replicates  $dir/source
              to    $dir/paris  and  $dir/london
REST API and CLI:   http://127.0.0.1:8900

Try, in another terminal:
  export PATH=$PWD/build/release/bin:\$PATH
  echo hello > $dir/source/photos/hello.txt; cat $dir/paris/photos/hello.txt
  fermata status
  fermata pause crr paris --reason "maintenance" --wait 30s
  echo held  > $dir/source/photos/held.txt;  fermata crr object photos/held.txt
  fermata schedule crr paris --after 1m        # or: fermata resume crr paris
  curl http://127.0.0.1:8900/_/crr/status
Stop the daemon (Ctrl-C) and start it again in between: nothing is lost, and what is paused stays paused.

TEXT
exec "$fermata" serve --config config/quickstart.yaml
