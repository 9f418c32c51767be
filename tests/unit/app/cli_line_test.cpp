#include "fake_daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace fermata::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(CliLine, MistakesAreUsageErrorsAndAskNothing) {
  FakeDaemon daemon;
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{{},
                                                                                    {"pause"},
                                                                                    {"pause", "crr"},
                                                                                    {"pause", "crr", "paris", "surplus"},
                                                                                    {"pause", "crr", "paris", "--bogus"},
                                                                                    {"pause", "crr", "paris", "--wait", "soon"},
                                                                                    {"--bogus"},
                                                                                    {"config"},
                                                                                    {"plugin", "nosuch"},
                                                                                    {"completion", "fish"},
                                                                                    {"audit", "--limit", "0"},
                                                                                    {"serve"},
                                                                                    {"serve", "--config", "f", "--port", "70000"}}) {
    EXPECT_EQ(daemon.run(line), kExitUsage) << ::testing::PrintToString(line);
    EXPECT_NE(daemon.err() + daemon.out(), "") << ::testing::PrintToString(line);
  }
  EXPECT_TRUE(daemon.requests.empty());
}

TEST(CliLine, AMisspeltCommandIsSuggested) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run({"stauts"}), kExitUsage);
  EXPECT_THAT(daemon.err(), HasSubstr("unknown command 'stauts'; did you mean 'status'?"));
}

TEST(CliLine, HelpNamesTheCommandsAndExitCodesButNotTheHiddenOnes) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run({"--help"}), kExitOk);
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("unschedule"), HasSubstr("5 refused"), Not(HasSubstr("names"))));
  EXPECT_EQ(daemon.run({"plugin", "--help"}), kExitOk);
  EXPECT_THAT(daemon.out(), AllOf(HasSubstr("check"), Not(HasSubstr("run-check"))));
}

TEST(CliLine, TheUrlComesFromTheOptionTheEnvironmentOrTheDefault) {
  FakeDaemon daemon;
  daemon.answer("GET /api/v1/nodes", R"({"nodes":[]})");
  ::unsetenv("FERMATA_URL");
  daemon.run({"nodes"});
  EXPECT_EQ(daemon.requests.back().url, "http://127.0.0.1:8900");
  ::setenv("FERMATA_URL", "http://10.0.0.1:1", 1);
  daemon.run({"nodes"});
  EXPECT_EQ(daemon.requests.back().url, "http://10.0.0.1:1");
  daemon.run({"nodes", "--url", "http://10.0.0.2:2"});
  EXPECT_EQ(daemon.requests.back().url, "http://10.0.0.2:2");
  ::unsetenv("FERMATA_URL");
}

TEST(CliLine, ServeIsHandedItsOptions) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run({"serve", "--config", "fermata.yaml", "--port", "0"}), kExitOk) << daemon.err();
  ASSERT_TRUE(daemon.served);
  EXPECT_EQ(daemon.served->config_file, "fermata.yaml");
  EXPECT_EQ(daemon.served->port, 0);
}

std::string offered(const std::string& script, const std::string& words, int position) {
  const std::string file = (std::string(std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp") + "/fermata-completion-XXXXXX");
  std::string name = file;
  const int fd = ::mkstemp(name.data());
  if (fd < 0) return "no temporary file";
  const std::unique_ptr<FILE, int (*)(FILE*)> stream(::fdopen(fd, "w"), std::fclose);
  std::fputs(script.c_str(), stream.get());
  std::fprintf(stream.get(),
               "fermata() { [ -z \"$2\" ] && echo crr || printf '%%s\\n' paris 'a$(echo ran)'; "
               "}\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_fermata\necho \"${COMPREPLY[*]}\"\n",
               words.c_str(), position);
  std::fflush(stream.get());
  const std::unique_ptr<FILE, int (*)(FILE*)> shell(::popen(("bash " + name).c_str(), "r"), ::pclose);
  std::array<char, 4'096> line{};
  const std::string answer = std::fgets(line.data(), line.size(), shell.get()) != nullptr ? line.data() : "";
  std::remove(name.c_str());
  return answer;
}

TEST(CliCompletion, OffersCommandsServicesLocationsAndOptions) {
  FakeDaemon daemon;
  ASSERT_EQ(daemon.run({"completion", "bash"}), kExitOk) << daemon.err();
  const auto script = daemon.out();
  EXPECT_EQ(offered(script, "fermata un", 1), "unschedule\n");
  EXPECT_EQ(offered(script, "fermata pause ''", 2), "crr\n");
  EXPECT_EQ(offered(script, "fermata --url http://x:1 pause crr ''", 5), "paris a\\$\\(echo\\ ran\\) all\n");
  EXPECT_EQ(offered(script, "fermata schedule crr paris --h", 4), "--help --hours\n");
  EXPECT_EQ(offered(script, "fermata config s", 2), "schema\n");
  ASSERT_EQ(daemon.run({"completion", "zsh"}), kExitOk);
  EXPECT_THAT(daemon.out(), HasSubstr("bashcompinit"));
}

}  // namespace
}  // namespace fermata::app
