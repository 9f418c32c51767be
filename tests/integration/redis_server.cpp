#include "integration/redis_server.hpp"

#include "contract/eventually.hpp"
#include "support/free_port.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace fermata::testing {

namespace {

std::string temporary_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "fermata-redis-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  return name;
}

struct ContextDeleter {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, ContextDeleter>;

Context connect(std::uint16_t port) {
  Context context(redisConnectWithTimeout("127.0.0.1", port, timeval{2, 0}));
  if (context) redisSetTimeout(context.get(), timeval{5, 0});
  return context;
}

std::string text(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
  if (reply.type != REDIS_REPLY_ARRAY) return reply.str == nullptr ? std::string() : std::string(reply.str, reply.len);
  std::string words;
  for (std::size_t i = 0; i < reply.elements; ++i) words += (i > 0 ? " " : "") + text(*reply.element[i]);
  return words;
}

std::string ask(redisContext& context, std::initializer_list<std::string_view> words) {
  std::vector<const char*> begins;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    begins.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(redisCommandArgv(&context, static_cast<int>(words.size()), begins.data(), sizes.data()));
  if (reply == nullptr) throw std::runtime_error(std::string("Redis: ") + context.errstr);
  std::string found = text(*reply);
  freeReplyObject(reply);
  return found;
}

}  // namespace

bool RedisServer::installed() { return std::filesystem::exists("/usr/bin/redis-server"); }

RedisServer::RedisServer(std::vector<std::string> arguments) : directory_(temporary_directory()), port_(free_port()) {
  command_ = {"redis-server",
              "--port",
              std::to_string(port_),
              "--bind",
              "127.0.0.1",
              "--save",
              "",
              "--repl-diskless-sync-delay",
              "0",
              "--dir",
              directory_,
              "--unixsocket",
              directory_ + "/socket",
              "--logfile",
              "log"};
  command_.insert(command_.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
  start();
}

RedisServer::RedisServer(std::string directory, std::uint16_t port, std::vector<std::string> command)
    : directory_(std::move(directory)), port_(port), command_(std::move(command)) {
  start();
}

RedisServer RedisServer::sentinel(const RedisServer& master, const std::string& password) {
  const std::string directory = temporary_directory();
  const std::uint16_t port = free_port();
  const std::string file = directory + "/sentinel.conf";
  std::ofstream(file) << "port " << port << "\nbind 127.0.0.1\ndir " << directory << "\nlogfile log\nrequirepass " << password
                      << "\nsentinel monitor main 127.0.0.1 " << master.port() << " 1\nsentinel down-after-milliseconds main 2000"
                      << "\nsentinel failover-timeout main 5000\n";
  return RedisServer(directory, port, {"redis-server", file, "--sentinel"});
}

RedisServer::RedisServer(RedisServer&& other) noexcept
    : directory_(std::exchange(other.directory_, {})),
      port_(other.port_),
      command_(std::move(other.command_)),
      pid_(std::exchange(other.pid_, -1)) {}

RedisServer::~RedisServer() {
  if (directory_.empty()) return;
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RedisServer::start() {
  std::vector<std::string> words{"setpriv", "--pdeathsig", "KILL"};
  words.insert(words.end(), command_.begin(), command_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (::posix_spawnp(&pid_, "setpriv", nullptr, nullptr, arguments.data(), environ) != 0)
    throw std::runtime_error("cannot start redis-server");
  if (!eventually([this] { return answers(); })) throw std::runtime_error("redis-server does not answer; see " + directory_ + "/log");
}

bool RedisServer::answers() const {
  const Context context = connect(port_);
  if (!context || context->err != 0) return false;
  try {
    const std::string answer = ask(*context, {"PING"});
    return answer == "PONG" || answer.starts_with("NOAUTH");
  } catch (const std::runtime_error&) {
    return false;
  }
}

void RedisServer::wait_for_end(int signal) {
  if (pid_ < 0) return;
  ::kill(pid_, signal);
  if (!eventually([this] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; })) throw std::runtime_error("redis-server does not end");
  pid_ = -1;
}

void RedisServer::stop() { wait_for_end(SIGTERM); }
void RedisServer::kill() { wait_for_end(SIGKILL); }
void RedisServer::hang(bool on) { ::kill(pid_, on ? SIGSTOP : SIGCONT); }

std::string RedisServer::run(std::initializer_list<std::string_view> words, const std::string& password, int database) const {
  const Context context = connect(port_);
  if (!context || context->err != 0) throw std::runtime_error("cannot connect to " + address());
  if (!password.empty()) ask(*context, {"AUTH", password});
  if (database != 0) ask(*context, {"SELECT", std::to_string(database)});
  return ask(*context, words);
}

}  // namespace fermata::testing
