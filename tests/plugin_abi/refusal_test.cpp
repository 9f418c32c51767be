// Every way in which a plugin cannot be opened, and the sentence that the operator reads.
#include "plugin_abi/zoo_test.hpp"

#include <elf.h>
#include <fermata/abi/base.h>

namespace fermata::testing {
namespace {

class Refusal : public Zoo {
 protected:
  // Every refusal happens beside a plugin that works, and leaves it working.
  void SetUp() override {
    neighbour_ = open("good");
    ASSERT_NE(neighbour_, nullptr);
    neighbour_->start();
    neighbour_->apply("a", false);
    ASSERT_TRUE(reaches(*neighbour_, "a", ObservedState::kRunning));
  }
  void TearDown() override {
    house.produce("zoo", "key", "value");
    EXPECT_TRUE(eventually([this] { return neighbour_->observe("a").processed == 1; })) << "the plugin beside it stopped working";
    EXPECT_TRUE(neighbour_->stop(std::chrono::seconds(10)).is_ok());
  }

 private:
  std::unique_ptr<plugin::ServiceInstance> neighbour_;
};

TEST_F(Refusal, OfAMissingFileSaysWhatToInstallOrCorrect) {
  EXPECT_THAT(refusal("nowhere"), AllOf(HasSubstr("is missing"), HasSubstr("plugin_dir")));
}

TEST_F(Refusal, OfAFileThatIsNotElf) {
  std::ofstream(house.dir / "not_elf.so") << "#!/bin/sh\necho I am a script\n";
  const auto opened = house.host->open(House::extension(house.dir / "not_elf.so"));
  EXPECT_THAT(opened.status().message(), AllOf(HasSubstr("not_elf.so"), HasSubstr("not an ELF shared object")));
}

TEST_F(Refusal, OfADirectory) {
  const auto opened = house.host->open(House::extension(house.dir.path() + "/"));
  EXPECT_THAT(opened.status().message(), HasSubstr("not a regular file"));
}

TEST_F(Refusal, OfAnotherArchitectureNamesBoth) {
  std::string bytes = content(ZOO_DIR "/good.so");
  const bool arm = static_cast<unsigned char>(bytes[offsetof(Elf64_Ehdr, e_machine)]) == EM_AARCH64;
  bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(arm ? EM_X86_64 : EM_AARCH64);
  std::ofstream(house.dir / "wrong_arch.so", std::ios::binary) << bytes;
  const auto opened = house.host->open(House::extension(house.dir / "wrong_arch.so"));
  EXPECT_THAT(opened.status().message(), AllOf(HasSubstr("aarch64"), HasSubstr("x86_64"), HasSubstr("build the plugin for this machine")));
}

TEST_F(Refusal, OfATruncatedFileIsNoCrash) {
  const std::string bytes = content(ZOO_DIR "/good.so");
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{40}, std::size_t{64}, bytes.size() / 2, bytes.size() - 100}) {
    std::ofstream(house.dir / "cut.so", std::ios::binary) << bytes.substr(0, size);
    EXPECT_FALSE(house.host->open(House::extension(house.dir / "cut.so")).is_ok()) << size;
  }
}

TEST_F(Refusal, OfAFileWithoutTheEntry) {
  EXPECT_THAT(refusal("no_entry"), AllOf(HasSubstr("does not export 'fermata_plugin_entry'"), HasSubstr("FERMATA_PLUGIN")));
}

TEST_F(Refusal, OfAFileWithoutAManifest) {
  EXPECT_THAT(refusal("no_manifest"), AllOf(HasSubstr(".fermata_manifest"), HasSubstr("MANIFEST manifest.json")));
}

TEST_F(Refusal, OfAnotherAbiMajorNamesBothSides) {
  EXPECT_THAT(refusal("other_major"),
              AllOf(HasSubstr("speaks ABI 2.0"), HasSubstr("this host speaks ABI 1.1"), HasSubstr("build the plugin")));
}

TEST_F(Refusal, OfAnEntryThatDisagreesWithItsManifestAboutTheMajor) {
  EXPECT_THAT(refusal("disagreeing_major"), AllOf(HasSubstr("ABI 2.0"), HasSubstr("ABI 1.1"), HasSubstr("manifest")));
}

TEST_F(Refusal, OfAStructThatIsTooSmallNamesBothSizes) {
  EXPECT_THAT(refusal("small_struct"), AllOf(HasSubstr("of 16 bytes"), HasSubstr("at least 88"), HasSubstr("sizeof(fermata_plugin)")));
}

TEST_F(Refusal, OfAnEntryWithAnotherNameThanTheManifest) {
  EXPECT_THAT(refusal("other_name"), AllOf(HasSubstr("'somebody'"), HasSubstr("'other_name'")));
}

TEST_F(Refusal, OfGnuUniqueSymbolsNamesOne) {
  EXPECT_THAT(refusal("gnu_unique"), AllOf(HasSubstr("GNU-unique symbol 'zoo_shared'"), HasSubstr("-fno-gnu-unique")));
}

TEST_F(Refusal, OfAnUnresolvedSymbolNamesIt) {
  EXPECT_THAT(refusal("unresolved_symbol"), AllOf(HasSubstr("zoo_nobody_provides_this"), HasSubstr("link the library")));
}

TEST_F(Refusal, OfAServiceThatThePluginDoesNotHaveNamesThoseItHas) {
  const auto opened = house.host->open(House::extension("good.so", "orchestra"));
  EXPECT_EQ(opened.status().code(), Code::kNotFound);
  EXPECT_THAT(opened.status().message(), AllOf(HasSubstr("no service 'orchestra'"), HasSubstr("only 'zoo'")));
}

TEST_F(Refusal, OfAThrowingEntryKeepsItsWords) {
  EXPECT_THAT(refusal("throwing_entry"),
              AllOf(HasSubstr("threw an exception: the entry's own words"), HasSubstr("only return a constant")));
}

TEST_F(Refusal, OfAnEntryThatReturnsNothing) { EXPECT_THAT(refusal("null_entry"), HasSubstr("returned no plugin")); }

TEST_F(Refusal, OfSettingsThatTheSchemaForbidsNamesTheKeyAndWhatIsAllowed) {
  auto extension = House::extension("good.so");
  extension.settings_json = R"({"colour":"blue","shape":"round"})";
  const auto opened = house.host->open(extension);
  EXPECT_EQ(opened.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(opened.status().message(), AllOf(HasSubstr(R"(/settings/colour: this string is not allowed; allowed: one of "red", "green")"),
                                               HasSubstr("/settings/shape: unknown key 'shape'; allowed: colour")));
}

TEST_F(Refusal, OfAFailingInitKeepsItsReason) {
  const auto opened = house.open("failing_init.so");
  EXPECT_EQ(opened.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(opened.status().message(),
              AllOf(HasSubstr("failing_init.so"), HasSubstr("init failed: settings.colour contradicts settings.shade")));
}

TEST_F(Refusal, OfAThrowingInitKeepsItsWords) {
  EXPECT_THAT(refusal("throwing_init"), HasSubstr("init threw an exception: init's own words"));
}

TEST_F(Refusal, OfAHangingInitComesInTimeAndLeavesTheThreadBehind) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal("hanging_init"), HasSubstr("plugin 'hanging_init': init did not return within 3 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  EXPECT_EQ(house.host->stuck(), 1u);
  house.release();
  EXPECT_TRUE(eventually([this] { return house.host->stuck() == 0; })) << "what came back is buried for good";
}

TEST(FailedExtension, WithoutItsServiceDoesNotBlockAReloadAsItDoesNotBlockAStart) {
  config::Config config;
  config.plugin_dir = ZOO_DIR;
  config.extensions = {House::extension("good.so", "orchestra")};
  EXPECT_TRUE(plugin::check_extensions(config, false).empty());
  EXPECT_EQ(plugin::check_extensions(config, true).size(), 1u);
  config.extensions = {House::extension("good.so")};
  config.extensions[0].settings_json = R"({"colour":"blue"})";
  EXPECT_EQ(plugin::check_extensions(config, false).size(), 1u) << "what a readable plugin refuses is reported in both";
}

TEST(FailedExtension, StillShowsWhatItsManifestSays) {
  const auto view = plugin::failed_view("zoo", ZOO_DIR "/failing_init.so", "its words");
  EXPECT_EQ(view.state, "failed");
  EXPECT_EQ(view.error, "its words");
  EXPECT_EQ(view.service, "zoo");
  EXPECT_FALSE(view.version.empty());
  EXPECT_EQ(view.abi_major, static_cast<std::uint32_t>(FERMATA_ABI_MAJOR));
  const auto missing = plugin::failed_view("zoo", "/nowhere/zoo.so", "it is missing");
  EXPECT_EQ(missing.name, "zoo");
  EXPECT_EQ(missing.version, "");
}

}  // namespace
}  // namespace fermata::testing
