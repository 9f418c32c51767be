#include "config/reference.hpp"

#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <fstream>
#include <iterator>
#include <string>

namespace fermata::config {
namespace {

using ::testing::HasSubstr;

std::string committed(const std::string& file) {
  std::ifstream stream(std::string(FERMATA_SOURCE_DIR "/") + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Reference, ThePageIsWhatTheTableSays) {
  EXPECT_TRUE(committed("docs/reference/configuration.md") == reference_markdown())
      << "run: fermata config reference > docs/reference/configuration.md";
}

TEST(Reference, TheSchemaIsWhatTheTableSays) {
  EXPECT_TRUE(committed("config/fermata.schema.json") == schema_json()) << "run: fermata config schema > config/fermata.schema.json";
}

TEST(Reference, TheSchemaIsJsonAndKnowsEverySection) {
  const auto schema = boost::json::parse(schema_json()).as_object();
  for (const auto* key : {"rest", "log", "cluster", "queue", "extensions", "data_dir"})
    EXPECT_TRUE(schema.at("properties").as_object().contains(key)) << key;
}

/// The rows of every section, as they stand in `config`.
std::vector<Section> sections_of(Config& config, ExtensionConfig& extension, LocationConfig& location) {
  return {file_section(config),        rest_section(config.rest),    log_section(config.log),    cluster_section(config.cluster),
          queue_section(config.queue), extension_section(extension), location_section(location), pipeline_section(extension.pipeline)};
}

TEST(Reference, TheAnnotatedDefaultNamesEveryKeyAndItsDefaults) {
  const auto text = committed("config/fermata.yaml");
  auto result = load(FERMATA_SOURCE_DIR "/config/fermata.yaml");
  ASSERT_TRUE(result.config);
  Config defaults;
  ExtensionConfig extension;
  LocationConfig location;
  const auto expected = sections_of(defaults, extension, location);
  const auto loaded = sections_of(*result.config, extension, location);
  for (std::size_t s = 0; s < expected.size(); ++s)
    for (std::size_t i = 0; i < expected[s].settings.size(); ++i) {
      const auto& setting = expected[s].settings[i];
      EXPECT_THAT(text, HasSubstr(std::string(setting.key) + ": "));
      EXPECT_EQ(loaded[s].settings[i].value, setting.value) << setting.key;
    }
}

}  // namespace
}  // namespace fermata::config
