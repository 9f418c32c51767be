#!/usr/bin/env bash
# REST status against nginx: both with one thread pinned to core 0, wrk with 16 connections on core 1, in turn, the same
# body. Prints requests/s, CPU microseconds per request, p99 and the ratio.
# Usage: rest_vs_nginx.sh [path of bench_rest] [seconds per run] [runs]
set -euo pipefail
bench=${1:-build/release/bin/bench_rest}
seconds=${2:-5}
runs=${3:-3}
connections=16
for tool in wrk nginx taskset curl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

work=$(mktemp -d)
server=
stop_server() {
  [ -z "$server" ] && return
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap 'stop_server; rm -rf "$work"' EXIT

# CPU ticks of a process and its children that live.
ticks() {
  local total=0 pid
  for pid in "$1" $(cat "/proc/$1/task/$1/children"); do
    total=$((total + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
  done
  echo "$total"
}

# measure URL PID: prints "requests/s cpu_us p99".
measure() {
  taskset -c 1 wrk -t1 -c"$connections" -d1 "$1" >/dev/null
  local before after
  before=$(ticks "$2")
  taskset -c 1 wrk -t1 -c"$connections" -d"$seconds" --latency "$1" >"$work/wrk.txt"
  after=$(ticks "$2")
  if grep -q "Non-2xx" "$work/wrk.txt"; then
    echo "$1 did not answer 200" >&2
    return 1
  fi
  awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    /99%/ { p99 = $2 }
    /requests in/ { requests = $1 }
    /Requests\/sec/ { rate = $2 }
    END { printf "%.0f %.2f %s\n", rate, ticks * 1e6 / hz / requests, p99 }' "$work/wrk.txt"
}

serve_fermata() {
  coproc bench_process { exec taskset -c 0 "$bench" "$1"; }
  server=$bench_process_PID
  read -r port <&"${bench_process[0]}"
  url=http://127.0.0.1:$port/_/crr/status
}

# A body that fits into the configuration is returned from it; a larger one is a file, with sendfile and an open-file cache.
serve_nginx() {
  local body location
  body=$(cat "$work/body.json")
  port=$((20000 + RANDOM % 20000))
  if [ ${#body} -lt 3000 ]; then
    location="default_type application/json; return 200 '$body';"
  else
    mkdir -p "$work/html/_/crr"
    cp "$work/body.json" "$work/html/_/crr/status"
    location="root $work/html; default_type application/json; sendfile on; tcp_nopush on; open_file_cache max=10;"
  fi
  local user=
  [ "$(id -u)" -eq 0 ] && user="user root;"  # else its worker may not read our folder
  cat >"$work/nginx.conf" <<EOF
$user daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
  server { listen 127.0.0.1:$port; location / { $location } }
}
EOF
  taskset -c 0 nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
  server=$!
  url=http://127.0.0.1:$port/_/crr/status
  for _ in $(seq 100); do curl -fs -o /dev/null "$url" && return; sleep 0.1; done
  echo "nginx does not serve: $(tail -n1 "$work/error.log")" >&2
  return 1
}

median() { sort -n | awk '{ line[NR] = $0 } END { print line[int((NR + 1) / 2)] }'; }

for locations in 3 10000; do
  rm -f "$work"/fermata.txt "$work"/nginx.txt
  for _ in $(seq "$runs"); do
    serve_fermata "$locations"
    curl -fs "$url" >"$work/body.json"
    measure "$url" "$server" >>"$work/fermata.txt"
    stop_server
    serve_nginx
    measure "$url" "$server" >>"$work/nginx.txt"
    stop_server
  done
  size=$(wc -c <"$work/body.json")
  read -r f_rate f_cpu f_p99 < <(median <"$work/fermata.txt")
  read -r n_rate n_cpu n_p99 < <(median <"$work/nginx.txt")
  printf '%s locations, %s bytes, %s connections, median of %s runs of %s s\n' "$locations" "$size" "$connections" "$runs" "$seconds"
  printf '  fermata %8s requests/s  %7s us CPU per request  p99 %s\n' "$f_rate" "$f_cpu" "$f_p99"
  printf '  nginx   %8s requests/s  %7s us CPU per request  p99 %s\n' "$n_rate" "$n_cpu" "$n_p99"
  awk -v f="$f_rate" -v n="$n_rate" -v fc="$f_cpu" -v nc="$n_cpu" \
    'BEGIN { printf "  ratio   %.2f of nginx in requests/s, %.2f of its CPU per request\n", f / n, fc / nc }'
done
