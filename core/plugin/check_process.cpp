#include "plugin/check_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

namespace fermata::plugin {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kMaxOutput = 64u << 10;

milliseconds left_until(Clock::time_point end) {
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end - Clock::now()));
}

// Until the pipe is closed, which an ending child does. False: not before `end`.
bool read_all(int fd, Clock::time_point end, std::string& output) {
  std::array<char, 4096> buffer;
  while (true) {
    pollfd waited = {fd, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(left_until(end).count()));
    if (ready == 0) return false;
    if (ready < 0) continue;  // a signal
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count <= 0) return true;
    output.append(buffer.data(), std::min(static_cast<std::size_t>(count), kMaxOutput - output.size()));
  }
}

// A child that closed its output may still run.
bool reap(pid_t child, Clock::time_point end, int& status) {
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

int spawn(const std::string& program, const std::vector<std::string>& arguments, int output, pid_t& child) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

ChildEnd run_child(const std::string& program, const std::vector<std::string>& arguments, milliseconds limit) {
  ChildEnd end;
  const auto deadline = Clock::now() + limit;
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    end.error = std::strerror(errno);
    return end;
  }
  pid_t child = 0;
  const int error = spawn(program, arguments, pipe[1], child);
  ::close(pipe[1]);
  if (error != 0) {
    ::close(pipe[0]);
    end.error = std::strerror(error);
    return end;
  }
  int status = 0;
  end.timed_out = !read_all(pipe[0], deadline, end.output) || !reap(child, deadline, status);
  ::close(pipe[0]);
  if (end.timed_out) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return end;
  }
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return end;
}

}  // namespace fermata::plugin
