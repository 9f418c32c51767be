#!/usr/bin/env bash
# Three nodes of one cluster, on this machine, until Ctrl-C. Runs below `servers.py run`, which tells where the servers are.
# usage: serve_cluster.sh PATH_TO_FERMATA FOLDER    (FERMATA_PORTS: the nodes' ports, default "8901 8902 8903")
set -euo pipefail

fermata=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
export FERMATA_CLUSTER_DIR=$2
: "${FERMATA_TEST_KAFKA:?there is no Kafka; the lines above say why}"
export FERMATA_ZOOKEEPER=$FERMATA_TEST_ZOOKEEPER FERMATA_REDIS=$FERMATA_TEST_REDIS FERMATA_KAFKA=$FERMATA_TEST_KAFKA
dir=$FERMATA_CLUSTER_DIR
read -ra ports <<<"${FERMATA_PORTS:-8901 8902 8903}"
mkdir -p "$dir"/{source/photos,paris,london}
nodes=()

finish() {
  trap - EXIT INT TERM
  [ ${#nodes[@]} -eq 0 ] || kill "${nodes[@]}" 2>/dev/null || true
  wait || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# usage: is_ready NUMBER
is_ready() {
  kill -0 "${nodes[$1]}" 2>/dev/null || { echo "node-$(($1 + 1)) has ended:" >&2; tail -20 "$dir/node-$(($1 + 1)).log" >&2; exit 1; }
  local address="$dir/node-$(($1 + 1))/rest.address"
  [ -s "$address" ] && curl -fsS "$(cat "$address")/readyz" >/dev/null 2>&1
}

for i in "${!ports[@]}"; do
  rm -f "$dir/node-$((i + 1))/rest.address"
  FERMATA_NODE=node-$((i + 1)) FERMATA_PORT=${ports[$i]} \
    setpriv --pdeathsig TERM "$fermata" serve --config "$here/config/cluster.yaml" 2>>"$dir/node-$((i + 1)).log" &
  nodes+=($!)
done
for i in "${!ports[@]}"; do
  deadline=$((SECONDS + 180))
  until is_ready "$i"; do
    [ $SECONDS -lt $deadline ] || { echo "node-$((i + 1)) is not ready after 180 s:" >&2; tail -20 "$dir/node-$((i + 1)).log" >&2; exit 1; }
    sleep 0.2
  done
done

first=$(cat "$dir/node-1/rest.address")
last=$(cat "$dir/node-${#ports[@]}/rest.address")
cat <<TEXT

A cluster of ${#ports[@]} nodes is ready. It replicates  $dir/source
                                 to    $dir/paris  and  $dir/london
ZooKeeper $FERMATA_ZOOKEEPER   Redis $FERMATA_REDIS   Kafka $FERMATA_KAFKA
Logs: $dir/node-*.log

Watch a pause cross the cluster, in other terminals:
  export PATH=$(dirname "$fermata"):\$PATH
  watch -n 0.5 fermata --url $last status crr paris     # one node shows ...
  fermata --url $first pause crr paris --wait 30s       # ... what was asked of another
  fermata --url $first nodes
  for n in 1 2 3 4 5 6; do echo \$n > $dir/source/photos/\$n.txt; done; ls $dir/paris/photos $dir/london/photos
  fermata --url $last resume crr paris
  kill -9 ${nodes[-1]}                                      # a node dies: the others take its share over
Ctrl-C ends the nodes and the servers.

TEXT
wait -n "${nodes[@]}" || true
[ ${#nodes[@]} -eq 1 ] || wait || true
