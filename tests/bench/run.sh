#!/usr/bin/env bash
# Runs every bench on the release build and prints its ratios. Fails only if a bench itself fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

build/release/bin/bench_pipeline
build/release/bin/bench_pause
build/release/bin/bench_ingestion
tests/bench/rest_vs_nginx.sh
tests/bench/relay_vs_bare.sh
/usr/bin/python3 tests/bench/s3_bench.py
/usr/bin/python3 tests/bench/daemon_bench.py
/usr/bin/python3 tests/support/servers.py run -- build/release/bin/bench_kafka
/usr/bin/python3 tests/bench/cluster_bench.py
