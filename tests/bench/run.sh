#!/usr/bin/env bash
# Runs every bench on the release build and prints its ratios. Fails only if a bench itself fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

build/release/bin/bench_pipeline
build/release/bin/bench_pause
tests/bench/rest_vs_nginx.sh
/usr/bin/python3 tests/bench/daemon_bench.py
