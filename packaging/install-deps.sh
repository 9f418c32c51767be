#!/usr/bin/env bash
# Installs what is missing of the Debian packages that the named purposes need: build, test, servers, bench, swift.
# `servers` is what a cluster on one machine needs: Redis, ZooKeeper, and Java and Maven for Kafka's brokers.
# `swift` is an S3 store for tests where Go is not there to build the others.
# Does nothing, quickly, when all are there.
set -euo pipefail

build=(g++ make cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-json1.81-dev libyaml-cpp-dev libspdlog-dev libfmt-dev libsqlite3-dev
  libcli11-dev libelf-dev prometheus-cpp-dev libssl-dev zlib1g-dev libvalijson-dev libgtest-dev libgmock-dev curl
  libhiredis-dev librdkafka-dev libzookeeper-mt-dev libpugixml-dev)
test=(clang-14 libclang-rt-14-dev clang-format-14 python3 python3-pytest python3-yaml git attr
  kcat python3-kazoo python3-redis python3-boto3 rclone)
servers=(redis-server libzookeeper-java default-jre-headless maven python3 util-linux)
bench=(nginx-light wrk)
swift=(swift-proxy swift-account swift-container swift-object memcached)

wanted=()
for purpose in "$@"; do
  case "$purpose" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    servers) wanted+=("${servers[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    swift) wanted+=("${swift[@]}") ;;
    *) echo "install-deps.sh: unknown purpose '$purpose': use build, test, servers, bench or swift" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps.sh: run as root, or install these yourself: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "install-deps.sh: apt-get could not install ${missing[*]}" >&2
  exit 1
fi
