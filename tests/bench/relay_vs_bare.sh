#!/usr/bin/env bash
# Starts two nginx, one that serves objects and one that takes them, and runs bench_relay between them.
# Usage: relay_vs_bare.sh [path of bench_relay]
set -euo pipefail
bench=${1:-build/release/bin/bench_relay}
command -v nginx >/dev/null || { echo "skipped: nginx is not installed"; exit 0; }

work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
chmod 755 "$work"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve NAME PORT LOCATIONS: objects below $work/NAME/bucket.
serve() {
  mkdir -p "$work/$1/bucket" "$work/$1/tmp"
  [ "$(id -u)" -ne 0 ] || chmod -R 777 "$work/$1"
  cat >"$work/$1.conf" <<CONF
daemon off; pid $work/$1.pid; error_log $work/$1.log crit; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path $work/$1/tmp; client_body_buffer_size 1m;
  server {
    listen 127.0.0.1:$2; root $work/$1;
    location = /bucket { return 200; }
    $3
    location / { dav_methods PUT DELETE; add_header ETag '"taken"'; }
  }
}
CONF
  nginx -p "$work" -c "$work/$1.conf" &
  pids+=($!)
}

source_port=$(free_port)
target_port=$(free_port)
mkdir -p "$work/source/bucket"
locations=
for size in 4K 1M 100M; do
  head -c "$(numfmt --from=iec "$size")" /dev/urandom >"$work/source/bucket/$size"
  md5=$(md5sum <"$work/source/bucket/$size" | cut -d' ' -f1)
  locations+="location = /bucket/$size { etag off; add_header ETag '\"$md5\"'; }"  # as S3 stores have it
done
serve source "$source_port" "$locations"
serve target "$target_port" ""
for port in "$source_port" "$target_port"; do
  for _ in $(seq 100); do curl -so /dev/null "http://127.0.0.1:$port/bucket" && break; sleep 0.05; done
done
"$bench" "$source_port" "$target_port"
