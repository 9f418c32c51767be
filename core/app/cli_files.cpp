#include "app/cli_commands.hpp"
#include "app/cli_output.hpp"
#include "app/version.hpp"

#include <fermata/abi/base.h>

#include <boost/json.hpp>

#include <algorithm>
#include <ostream>

namespace fermata::app {
namespace {

namespace json = boost::json;
using Verdict = plugin::CheckResult::Verdict;

json::object to_json(const config::Problem& problem) {
  return {{"file", problem.file}, {"line", problem.line}, {"path", problem.path}, {"message", problem.message}};
}

std::string_view to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed: return "passed";
    case Verdict::kFailed: return "failed";
    case Verdict::kSkipped: break;
  }
  return "skipped";
}

std::string counts(const config::Config& config) {
  std::size_t locations = 0;
  for (const auto& extension : config.extensions) locations += extension.locations.size();
  return std::to_string(config.extensions.size()) + " extensions, " + std::to_string(locations) + " locations";
}

}  // namespace

int check_config(const CliWorld& world, const GlobalOptions& options, const std::string& file) {
  auto loaded = config::load(file);
  if (loaded.config) std::ranges::move(world.check_extensions(*loaded.config), std::back_inserter(loaded.problems));
  const bool good = loaded.problems.empty();
  if (options.json) {
    json::array problems;
    for (const auto& problem : loaded.problems) problems.push_back(to_json(problem));
    world.out << json::serialize(json::value{{"valid", good}, {"problems", std::move(problems)}}) << '\n';
  } else if (good) {
    if (!options.quiet) world.out << printable(file) << ": valid: " << counts(*loaded.config) << '\n';
  } else {
    for (const auto& problem : loaded.problems) world.out << printable(problem.text()) << '\n';
  }
  return good ? kExitOk : kExitFailed;
}

int check_plugin_file(const CliWorld& world, const GlobalOptions& options, const std::string& file) {
  const auto results = world.check_plugin(file);
  const bool good = std::ranges::none_of(results, [](const auto& result) { return result.verdict == Verdict::kFailed; });
  if (options.json) {
    json::array checks;
    for (const auto& result : results)
      checks.push_back(json::object{{"name", result.name}, {"verdict", to_text(result.verdict)}, {"detail", result.detail}});
    world.out << json::serialize(json::value{{"file", file}, {"passed", good}, {"checks", std::move(checks)}}) << '\n';
  } else if (!options.quiet || !good) {
    Table table({"CHECK", "VERDICT", "DETAIL"});
    for (const auto& result : results) table.add({result.name, std::string(to_text(result.verdict)), result.detail});
    table.print(world.out);
  }
  return good ? kExitOk : kExitFailed;
}

int show_version(const CliWorld& world, const GlobalOptions& options) {
  const auto abi = std::to_string(FERMATA_ABI_MAJOR) + "." + std::to_string(FERMATA_ABI_MINOR);
  if (options.json)
    world.out << json::serialize(json::value{{"version", kVersion}, {"abi", abi}}) << '\n';
  else
    world.out << "fermata " << kVersion << " (plugin ABI " << abi << ")\n";
  return kExitOk;
}

}  // namespace fermata::app
