#!/usr/bin/env bash
# Runs every bench on the release build and prints its ratios. Fails only if a bench itself fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

build/release/bin/bench_pipeline
build/release/bin/bench_pause
tests/bench/rest_vs_nginx.sh
/usr/bin/python3 tests/bench/daemon_bench.py
/usr/bin/python3 tests/support/servers.py run -- build/release/bin/bench_kafka
/usr/bin/python3 tests/bench/cluster_bench.py
