#include "app/serve.hpp"

#include "app/application.hpp"
#include "plugin/plugin_host.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

namespace fermata::app {
namespace {

sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

int fail(const std::string& message) {
  std::fprintf(stderr, "fermata: %s\n", message.c_str());
  return 1;
}

bool stop_is_pending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

/// For when a thread of a plugin hangs: destructors would wait for it.
[[noreturn]] void leave_at_once() {
  std::fflush(nullptr);
  _exit(1);
}

/// Reloads at each SIGHUP; returns at the first signal to end.
void run_until_signalled(Application& application, const sigset_t& signals) {
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) return;
    try {
      application.reload(stop_is_pending);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "fermata: the reload failed: %s\n", error.what());
    }
  }
}

/// Every connection and every consumer needs some; the soft limit is often 1,024 for the sake of old programs.
void allow_many_files() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int serve(const ServeOptions& options) {
  // Blocked before the first thread is made, so that every thread inherits it and only sigwait sees them.
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  allow_many_files();

  auto loaded = config::load(options.config_file);
  if (!loaded.problems.empty() || !loaded.config) {
    for (const auto& problem : loaded.problems) std::fprintf(stderr, "%s\n", problem.text().c_str());
    return fail("the configuration has problems; nothing was started");
  }
  if (options.port) loaded.config->rest.port = *options.port;
  try {
    const auto shutdown_timeout = loaded.config->shutdown_timeout;
    auto application = Application::start(std::move(*loaded.config));
    if (!application) {
      fail(application.status().message());
      leave_at_once();
    }
    run_until_signalled(**application, signals);
    // The last resort, should even the bounded stop hang: SIGALRM ends the process. After the drain what was taken may still
    // be on its way to Kafka (10 s) and Redis (5 s).
    alarm(static_cast<unsigned>(shutdown_timeout.count() / 1'000) + 20);
    if (const Status stopped = (*application)->stop(); !stopped) leave_at_once();
    return 0;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace fermata::app
