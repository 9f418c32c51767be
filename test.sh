#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests; ends only what it started.
#   ./test.sh                 every suite but bench
#   ./test.sh unit functional these suites
# Suites: lint unit contract plugin_abi tsan functional integration soak bench
# FERMATA_SEED: seed of the randomised tests (printed by them; default: a new one).
# FERMATA_FAULTS: how many faults the soak injects (default 300).
# FERMATA_TEST_KAFKA=host:port: a broker to use instead of one that is downloaded and started here.
set -uo pipefail
cd "$(dirname "$0")"
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true  # a clone elsewhere finds what was compiled here

python=/usr/bin/python3  # the one that the Debian packages of pytest and yaml belong to

all=(lint unit contract plugin_abi tsan functional integration soak)
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=("${all[@]}")
for suite in "${suites[@]}"; do
  case " ${all[*]} bench " in
    *" $suite "*) ;;
    *) echo "test.sh: unknown suite '$suite': use ${all[*]} bench" >&2; exit 2 ;;
  esac
done
wants() { case " ${suites[*]} " in *" $1 "*) return 0 ;; *) return 1 ;; esac }

packaging/install-deps.sh build test servers || exit 1
if wants contract && ! command -v go >/dev/null; then packaging/install-deps.sh swift || exit 1; fi
if wants bench; then packaging/install-deps.sh bench || exit 1; fi

results=$PWD/build/test-results
report=$PWD/build/test-servers.txt
mkdir -p build

# Suites over real adapters run below servers.py, which starts the servers once for all of them, and ends them.
if [ -z "${FERMATA_TEST_REDIS-}" ] && { wants contract || wants tsan || wants integration; }; then
  rm -f "$report"
  "$python" tests/support/servers.py run --s3 --report "$report" -- "$PWD/test.sh" "${suites[@]}"
  code=$?
  [ -f "$report" ] || printf 'failed: the servers did not start, so nothing was run\n0 passed, 1 failed, 0 skipped\n'
  exit $code
fi
[ -n "${FERMATA_TEST_REDIS-}" ] || rm -f "$report"  # what an earlier run used

rm -rf "$results"
mkdir -p "$results"
failed=()
started=$SECONDS

say() { printf '\n== %s (%d s)\n' "$1" "$((SECONDS - started))"; }

# configure_and_build PRESET COMPILER TARGET...: gcc and clang both have to be clean, so each builds one preset.
configure_and_build() {
  local preset=$1 cc=$2 cxx=$3
  shift 3
  say "build $preset with $cxx"
  if [ ! -f "build/$preset/build.ninja" ] || ! grep -q 'FERMATA_WERROR:BOOL=ON' "build/$preset/CMakeCache.txt"; then
    CC=$cc CXX=$cxx cmake --preset "$preset" -G Ninja -Wno-dev -DFERMATA_WERROR=ON >"$results/configure-$preset.log" 2>&1 ||
      { cat "$results/configure-$preset.log"; failed+=("configure $preset"); return 1; }
  fi
  cmake --build --preset "$preset" --target "$@" || { failed+=("build $preset"); return 1; }
}

# run_ctest PRESET LABEL: one XML per test program goes to the results.
run_ctest() {
  say "$2 ($1)"
  local out=$results/$2-$1
  mkdir -p "$out"
  GTEST_OUTPUT="xml:$out/" ctest --test-dir "build/$1" --output-on-failure --no-tests=error -L "^$2\$" -j2 || failed+=("$2 ($1)")
}

# run_pytest SUITE [FILE]: below tests/.
run_pytest() {
  say "$1"
  "$python" -m pytest -q --junitxml="$results/$1.xml" -p no:cacheprovider -rs "tests/${2-$1}" || failed+=("$1")
}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan.supp
export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/tests/support/lsan.supp

if wants lint; then run_pytest lint; fi
if wants unit || wants contract || wants plugin_abi || wants integration; then
  if configure_and_build dev clang-14 clang++-14 all; then
    for suite in unit contract plugin_abi integration; do
      if wants "$suite"; then run_ctest dev "$suite"; fi
    done
  fi
fi
if wants tsan && configure_and_build tsan gcc g++ tsan_tests; then run_ctest tsan tsan; fi
if wants functional || wants integration || wants soak; then
  if configure_and_build release gcc g++ fermata shipped_plugins hello zoo probe fault_gate; then
    if wants functional; then run_pytest functional; fi
    if wants integration; then run_pytest integration; fi
    if wants soak; then run_pytest soak integration/soak.py; fi
  fi
fi
if wants bench && configure_and_build release gcc g++ fermata shipped_plugins benches probe fault_gate; then
  say bench
  tests/bench/run.sh || failed+=(bench)
fi

say "totals"
[ ${#failed[@]} -eq 0 ] || printf 'failed: %s\n' "${failed[@]}"
"$python" tests/support/totals.py "$results" "${#failed[@]}" "$report"
