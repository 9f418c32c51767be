#include "integration/zookeeper_server.hpp"

#include "contract/eventually.hpp"
#include "integration/zookeeper_admin.hpp"
#include "support/free_port.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>
#include <vector>

extern char** environ;

namespace fermata::testing {
namespace {

constexpr const char* kJar = "/usr/share/java/zookeeper.jar";

}  // namespace

bool ZooKeeperServer::installed() { return std::filesystem::exists(kJar) && std::filesystem::exists("/usr/bin/java"); }

ZooKeeperServer::ZooKeeperServer(std::vector<std::string> properties) : properties_(std::move(properties)), port_(free_port()) {
  directory_ = (std::filesystem::temp_directory_path() / "fermata-zookeeper-XXXXXX").string();
  if (mkdtemp(directory_.data()) == nullptr) throw std::runtime_error("cannot make " + directory_);
  std::ofstream(directory_ + "/zoo.cfg") << "tickTime=500\nmaxSessionTimeout=60000\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                                         << "4lw.commands.whitelist=*\ndataDir=" << directory_ << "/data\nclientPort=" << port_ << "\n";
  start();
}

ZooKeeperServer::~ZooKeeperServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void ZooKeeperServer::start() {
  std::vector<std::string> words{"setpriv", "--pdeathsig", "KILL", "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"};
  words.insert(words.end(), properties_.begin(), properties_.end());
  for (const auto& word :
       {std::string("-cp"), std::string(kJar), std::string("org.apache.zookeeper.server.ZooKeeperServerMain"), directory_ + "/zoo.cfg"})
    words.push_back(word);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = directory_ + "/log";
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  const int error = ::posix_spawnp(&pid_, "setpriv", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start ZooKeeper");
  if (!eventually([this] { return answers(); })) throw std::runtime_error("ZooKeeper does not answer; see " + log);
}

void ZooKeeperServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool ZooKeeperServer::answers() const {
  try {
    return four_letters(address(), "srvr", std::chrono::seconds(1)).find("Mode: ") != std::string::npos;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace fermata::testing
