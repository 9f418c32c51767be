#include "telemetry/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace fermata::telemetry {
namespace {

/// Fields of /proc/self/stat, numbered as proc(5) does from the third on; the first two hold the name, which may contain spaces.
std::optional<std::vector<std::string>> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields(3);
  for (std::string field; rest >> field;) fields.push_back(field);
  if (fields.size() <= 24) return std::nullopt;
  return fields;
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
  }
  return std::nullopt;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<double> open_fds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) ++count;
  if (error) return std::nullopt;
  return count - 1;  // the one that lists the folder
}

}  // namespace

void collect_process(std::vector<Metrics::Sample>& samples) {
  const auto add = [&](MetricKind kind, const char* name, const char* help, double value) {
    samples.push_back({kind, name, help, {}, value});
  };
  add(MetricKind::kCounter, "process_cpu_seconds_total", "User and system CPU time.", cpu_seconds());
  if (const auto fds = open_fds()) add(MetricKind::kGauge, "process_open_fds", "Open file descriptors.", *fds);
  const auto fields = stat_fields();
  if (!fields) return;
  add(MetricKind::kGauge, "process_threads", "Threads.", std::stod((*fields)[20]));
  add(MetricKind::kGauge, "process_resident_memory_bytes", "Resident memory.",
      std::stod((*fields)[24]) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  if (const auto boot = boot_time())
    add(MetricKind::kGauge, "process_start_time_seconds", "When the process started, in seconds since the epoch.",
        *boot + std::stod((*fields)[22]) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

}  // namespace fermata::telemetry
