#pragma once

#include "adapters/embedded/embedded.hpp"
#include "base/clock.hpp"
#include "telemetry/log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace fermata::testing {

/// A data directory of its own, removed at the end, and the embedded backend in it.
class EmbeddedDirectory {
 public:
  EmbeddedDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "fermata-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
    path_ = name;
    options_.data_dir = path_ + "/data";
    options_.node_id = "n1";
  }
  ~EmbeddedDirectory() {
    backend_.reset();
    std::filesystem::remove_all(path_);
  }
  EmbeddedDirectory(const EmbeddedDirectory&) = delete;
  EmbeddedDirectory& operator=(const EmbeddedDirectory&) = delete;

  embedded::Backend::Options& options() { return options_; }
  const std::string& data_dir() const { return options_.data_dir; }

  /// Opens the backend if it is not; must succeed.
  embedded::Backend& open() { return open(clock_); }
  embedded::Backend& open(const Clock& clock) {
    if (backend_) return *backend_;
    auto opened = embedded::Backend::open(options_, clock, log_);
    if (!opened) throw std::runtime_error(opened.status().text());
    backend_ = std::move(*opened);
    return *backend_;
  }
  void close() { backend_.reset(); }
  Status try_open() { return embedded::Backend::open(options_, clock_, log_).status(); }

 private:
  std::string path_;
  embedded::Backend::Options options_;
  SystemClock clock_;
  telemetry::Log log_{{.level = telemetry::Level::kError}};
  std::unique_ptr<embedded::Backend> backend_;
};

}  // namespace fermata::testing
