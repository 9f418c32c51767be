#pragma once

#include "app/cli.hpp"

namespace fermata::app {

/// `fermata serve`: runs the daemon in the foreground until SIGTERM or SIGINT. SIGHUP reopens the log and reloads the
/// configuration. @return 0 after an orderly stop, 1 if it could not start or a plugin hung at the end.
int serve(const ServeOptions& options);

}  // namespace fermata::app
