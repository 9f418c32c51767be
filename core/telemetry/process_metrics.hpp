#pragma once

#include "telemetry/metrics.hpp"

namespace fermata::telemetry {

/// What this process costs, as Prometheus names it: resident memory, CPU seconds, open files, threads, start time.
/// What /proc does not tell is left out. Threads: [any].
void collect_process(std::vector<Metrics::Sample>& samples);

}  // namespace fermata::telemetry
