#include "files/xattr.hpp"
#include "store/filesystem_source.hpp"
#include "store/filesystem_store.hpp"
#include "store/s3_access.hpp"
#include "store/s3_store.hpp"
#include "unit/common/scripted_server.hpp"
#include "unit/crr/directory_fixture.hpp"

#include <fermata/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>

#include <functional>
#include <thread>
#include <vector>

namespace fermata::crr::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

/// Passes another reader on, doing something when the content is read or before it becomes visible.
class HookedReader final : public ObjectReader {
 public:
  HookedReader(ObjectReader& real, std::function<Status()> on_read, std::function<Status()> on_check)
      : real_(real), on_read_(std::move(on_read)), on_check_(std::move(on_check)) {}
  const ObjectMeta& meta() const override { return real_.meta(); }
  Result<std::size_t> read(std::span<char> buffer) override {
    if (auto status = on_read_(); !status) return status;
    return real_.read(buffer.first(std::min<std::size_t>(buffer.size(), 4)));
  }
  Status check_unchanged() override {
    if (auto status = on_check_(); !status) return status;
    return real_.check_unchanged();
  }
  Result<std::unique_ptr<ObjectReader>> open_part(const Part& part) override { return real_.open_part(part); }

 private:
  ObjectReader& real_;
  std::function<Status()> on_read_;
  std::function<Status()> on_check_;
};

Status nothing() { return Status::ok(); }

class FilesystemStoreTest : public ::testing::Test {
 protected:
  FilesystemStoreTest() {
    std::filesystem::create_directories(source());
    std::filesystem::create_directories(target());
  }
  std::string source(const std::string& name = {}) const { return directory_.path(name.empty() ? "source" : "source/" + name); }
  std::string target(const std::string& name = {}) const { return directory_.path(name.empty() ? "target" : "target/" + name); }

  Result<ObjectStore::Stored> copy(const std::string& path, std::function<Status()> on_read = nothing,
                                   std::function<Status()> on_check = nothing) {
    const auto id = *parse_object_path(path);
    auto reader = source_.open(id, {});
    if (!reader) return reader.status();
    HookedReader hooked(**reader, std::move(on_read), std::move(on_check));
    return store_.put(id, hooked);
  }
  Status remove(const std::string& path) { return store_.remove(*parse_object_path(path), nothing).status(); }

  TemporaryDirectory directory_;
  Cancellation cancellation_;
  FilesystemSource source_{std::make_shared<const SourceRoot>(source(), [] { return false; }), cancellation_};
  FilesystemStore store_{"paris", target(), cancellation_};
};

TEST_F(FilesystemStoreTest, CopiesContentTimeModeAndUserMetadata) {
  write_file(source("b/d/k"), "hello");
  const bool attributes = set_attribute(source("b/d/k"), "user.color", std::string("re\0d", 4));
  ::chmod(source("b/d/k").c_str(), 0640);
  set_mtime_ns(source("b/d/k"), 1'234'567'890'123'456'789);
  const auto stored = copy("b/d/k");
  ASSERT_TRUE(stored.is_ok()) << stored.status().text();
  EXPECT_EQ(stored->bytes, 5u);
  EXPECT_EQ(stored->etag, "5d41402abc4b2a76b9719d911017c592");
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/d/k", "hello")));
  EXPECT_EQ(mtime_ns(target("b/d/k")), 1'234'567'890'123'456'789);
  EXPECT_EQ(std::filesystem::status(target("b/d/k")).permissions(), std::filesystem::perms(0640));
  if (attributes) {
    EXPECT_EQ(attribute(target("b/d/k"), "user.color"), std::string("re\0d", 4));
  }
}

TEST_F(FilesystemStoreTest, CopiesEmptyAndLargeFiles) {
  const std::string large(3'000'001, 'x');
  write_file(source("b/empty"), "");
  write_file(source("b/large"), large);
  ASSERT_TRUE(copy("b/empty").is_ok());
  const auto id = *parse_object_path("b/large");
  ASSERT_TRUE(store_.put(id, **source_.open(id, {})).is_ok());
  EXPECT_THAT(tree(target()), UnorderedElementsAre(Pair("b/empty", ""), Pair("b/large", large)));
}

TEST_F(FilesystemStoreTest, DropsUserMetadataThatTheSourceNoLongerHas) {
  write_file(source("b/k"), "1");
  if (!set_attribute(source("b/k"), "user.color", "red")) GTEST_SKIP() << "no extended attributes here";
  ASSERT_TRUE(copy("b/k").is_ok());
  ::removexattr(source("b/k").c_str(), "user.color");
  ASSERT_TRUE(copy("b/k").is_ok());
  EXPECT_EQ(attribute(target("b/k"), "user.color"), "");
}

TEST_F(FilesystemStoreTest, KeepsTheOldObjectAndNoTraceWhenACopyFails) {
  write_file(source("b/k"), "new content");
  write_file(target("b/k"), "old");
  int reads = 0;
  const auto failed = copy("b/k", [&reads] { return ++reads < 3 ? Status::ok() : Status(Code::kUnavailable, "disk on fire"); });
  EXPECT_EQ(failed.status().code(), Code::kUnavailable);
  EXPECT_THAT(failed.status().message(), HasSubstr("b/k to location paris: disk on fire"));
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "old")));
}

TEST_F(FilesystemStoreTest, LeavesOnlyATemporaryWhenItIsKilledAndCleansItLater) {
  write_file(source("b/k"), "new content");
  write_file(target("b/k"), "old");
  const pid_t child = ::fork();
  if (child == 0) {
    int reads = 0;
    [[maybe_unused]] const auto never = copy("b/k", [&reads] {
      if (++reads == 3) ::_exit(0);
      return Status::ok();
    });
    ::_exit(1);
  }
  int result = -1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  ASSERT_EQ(result, 0);
  auto files = tree(target());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files["b/k"], "old");
  EXPECT_TRUE(files.begin()->first.starts_with("b/.fermata-tmp-"));
  ASSERT_TRUE(store_.clean().is_ok());
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "old")));
}

TEST_F(FilesystemStoreTest, DoesNotCleanWhatIsStillBeingWritten) {
  write_file(source("b/k"), "content");
  const auto stored = copy("b/k", nothing, [this] { return store_.clean(); });
  EXPECT_TRUE(stored.is_ok()) << stored.status().text();
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "content")));
}

TEST_F(FilesystemStoreTest, RetriesWhenTheSourceChangesMeanwhile) {
  write_file(target("b/k"), "old");
  const std::function<void()> changes[] = {
      [this] { write_file(source("b/k"), "longer than before"); },
      [this] { write_file(source("b/k"), "67890"); },
      [this] { std::filesystem::remove(source("b/k")); },
      [this] { set_mtime_ns(source("b/k"), 1); },
      [this] {
        write_file(source("b/other"), "12345");
        std::filesystem::rename(source("b/other"), source("b/k"));
      },
  };
  for (const auto& change : changes) {
    write_file(source("b/k"), "12345");
    set_mtime_ns(source("b/k"), 1'000'000'000'000'000'000);
    const auto stored = copy("b/k", nothing, [&change] {
      change();
      return Status::ok();
    });
    EXPECT_EQ(stored.status().code(), Code::kAborted);
    EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "old")));
  }
}

TEST_F(FilesystemStoreTest, NoticesADamagedCopyBeforeAnybodySeesIt) {
  write_file(source("b/k"), "12345678");
  write_file(target("b/k"), "old");
  int reads = 0;
  const auto stored = copy("b/k", [this, &reads] {
    if (++reads != 2) return Status::ok();
    for (const auto& [name, content] : tree(target()))
      if (name.starts_with("b/.fermata-tmp-")) write_file(target(name), "DAMA");
    return Status::ok();
  });
  EXPECT_EQ(stored.status().code(), Code::kAborted);
  EXPECT_THAT(stored.status().message(), HasSubstr("differs from what was written"));
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "old")));
}

TEST_F(FilesystemStoreTest, NeverMakesAMissingRoot) {
  write_file(source("b/k"), "1");
  std::filesystem::remove(target());
  const auto stored = copy("b/k");
  EXPECT_TRUE(stored.status().retryable());
  EXPECT_THAT(stored.status().message(), HasSubstr("target root " + target() + " of location paris is missing"));
  EXPECT_TRUE(remove("b/k").retryable());
  EXPECT_TRUE(store_.check().retryable());
  EXPECT_FALSE(std::filesystem::exists(target()));
}

TEST_F(FilesystemStoreTest, RemovesAnObjectAndTheDirectoriesThatItLeavesEmpty) {
  write_file(target("b/d/e/k"), "1");
  write_file(target("b/d/stays"), "2");
  ASSERT_TRUE(remove("b/d/e/k").is_ok());
  EXPECT_FALSE(std::filesystem::exists(target("b/d/e")));
  ASSERT_TRUE(remove("b/d/stays").is_ok());
  EXPECT_TRUE(std::filesystem::exists(target("b"))) << "buckets stay";
  EXPECT_TRUE(std::filesystem::is_empty(target("b")));
  EXPECT_TRUE(remove("b/d/stays").is_ok()) << "a missing object is fine";
  EXPECT_TRUE(remove("no-bucket/k").is_ok());
}

TEST_F(FilesystemStoreTest, RemovesNothingWhenTheSourceHasItAgain) {
  write_file(target("b/k"), "1");
  const auto status = store_.remove({"b", "k"}, [] { return Status(Code::kAborted, "it is back"); }).status();
  EXPECT_EQ(status.code(), Code::kAborted);
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/k", "1")));
}

TEST_F(FilesystemStoreTest, DirectoryGivesWayToAFileAndTheReverse) {
  write_file(source("b/a"), "file");
  write_file(target("b/a/x"), "stale");
  write_file(target("b/a/y/z"), "stale");
  ASSERT_TRUE(copy("b/a").is_ok());
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/a", "file")));
  ASSERT_TRUE(remove("b/a/x").is_ok()) << "the late deletion of what is gone already";
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/a", "file")));

  std::filesystem::remove(source("b/a"));
  write_file(source("b/a/x/y"), "inner");
  ASSERT_TRUE(copy("b/a/x/y").is_ok());
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/a/x/y", "inner")));
  ASSERT_TRUE(remove("b/a").is_ok()) << "the late deletion of the file";
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/a/x/y", "inner")));
}

TEST_F(FilesystemStoreTest, NothingGivesWayToAnObjectThatIsGoneAgain) {
  write_file(source("b/a/x"), "inner");
  write_file(target("b/a"), "file");
  int checks = 0;
  const auto stored = copy("b/a/x", nothing, [this, &checks] {
    if (++checks == 2) std::filesystem::remove(source("b/a/x"));
    return Status::ok();
  });
  EXPECT_EQ(stored.status().code(), Code::kAborted);
  EXPECT_EQ(checks, 2);
  EXPECT_THAT(tree(target()), ElementsAre(Pair("b/a", "file")));
}

TEST_F(FilesystemStoreTest, DoesNotFollowLinksThatWerePlantedAtTheTarget) {
  const std::string outside = directory_.path("outside");
  write_file(outside + "/k", "untouched");
  write_file(outside + "/sub/k", "untouched");
  write_file(source("b/k"), "mine");
  write_file(source("b/sub/k"), "mine");
  write_file(source("linked/k"), "mine");
  std::filesystem::create_directories(target("b"));
  std::filesystem::create_symlink(outside + "/k", target("b/k"));
  std::filesystem::create_symlink(outside + "/sub", target("b/sub"));
  std::filesystem::create_symlink(outside, target("linked"));
  EXPECT_TRUE(copy("b/k").is_ok());
  EXPECT_TRUE(copy("b/sub/k").is_ok());
  const auto bucket = copy("linked/k");
  EXPECT_EQ(bucket.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(bucket.status().message(), HasSubstr("bucket linked of location paris is no directory"));
  EXPECT_EQ(read_file(outside + "/k"), "untouched");
  EXPECT_EQ(read_file(outside + "/sub/k"), "untouched");
  EXPECT_EQ(read_file(target("b/k")), "mine");
  EXPECT_EQ(read_file(target("b/sub/k")), "mine");
  EXPECT_TRUE(remove("linked/k").is_ok());
  EXPECT_TRUE(std::filesystem::exists(outside + "/k"));
}

TEST_F(FilesystemStoreTest, RefusesKeysThatLeadOutOfTheBucket) {
  write_file(source("b/k"), "1");
  const auto reader = source_.open({"b", "k"}, {});
  ASSERT_TRUE(reader.is_ok());
  for (const ObjectId& id :
       {ObjectId{"b", "../k"}, ObjectId{"..", "k"}, ObjectId{"b", "a//k"}, ObjectId{"b", "/k"}, ObjectId{"b", "a/."},
        ObjectId{"b", std::string("a\0b", 3)}, ObjectId{"b", ".fermata-tmp-x"}, ObjectId{"b", std::string(256, 'x')}}) {
    EXPECT_EQ(store_.put(id, **reader).status().code(), Code::kInvalidArgument) << id.path();
    EXPECT_EQ(store_.remove(id, nothing).status().code(), Code::kInvalidArgument) << id.path();
  }
  EXPECT_THAT(tree(target()), IsEmpty());
}

TEST_F(FilesystemStoreTest, HasSaysWhetherSizeAndTimeAreThose) {
  write_file(source("b/k"), "12345");
  const auto meta = (*source_.open({"b", "k"}, {}))->meta();
  EXPECT_FALSE(*store_.has({"b", "k"}, meta));
  ASSERT_TRUE(copy("b/k").is_ok());
  EXPECT_TRUE(*store_.has({"b", "k"}, meta));
  write_file(target("b/k"), "123456");
  EXPECT_FALSE(*store_.has({"b", "k"}, meta));
}

TEST_F(FilesystemStoreTest, StopsALongCopyWhenTheServiceStops) {
  write_file(source("b/k"), "12345678");
  const auto stored = copy("b/k", [this] {
    cancellation_.cancel();
    return Status::ok();
  });
  EXPECT_TRUE(stored.status().retryable());
  EXPECT_THAT(tree(target()), IsEmpty());
}

TEST(S3Store, RightsAreThePlacesMatter) {
  const test::ScriptedServer server([](test::Peer& peer, int) {
    while (!peer.read_request().empty()) peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  S3Settings settings;
  settings.endpoint = server.url();
  settings.access_key = settings.secret_key = "somebody";
  sdk::testing::FakeHost fake;
  const sdk::Host host(fake.raw());
  LocationSettings location;
  location.name = "paris";
  S3Store store(location, *make_s3_client(settings, 1), host);
  const auto removed = store.remove({"b", "k"}, [] { return Status::ok(); });
  EXPECT_EQ(removed.status().code(), Code::kUnauthenticated);
  EXPECT_THAT(removed.status().message(), HasSubstr("b/k to location paris"));
  EXPECT_EQ(store.remove_version({"b", "k"}, "v1", "t1").code(), Code::kPermissionDenied) << "it may be locked";
}

TEST(S3Store, TakesPartsThatAreLargeEnoughForAllOfTheObject) {
  constexpr std::uint64_t kMiB = 1u << 20;
  EXPECT_EQ(S3Store::part_bytes(0), 16 * kMiB);
  EXPECT_EQ(S3Store::part_bytes(160'000 * kMiB), 16 * kMiB);
  EXPECT_EQ(S3Store::part_bytes(160'000 * kMiB + 1), 17 * kMiB);
  constexpr std::uint64_t kLargest = 5 * kMiB * kMiB;
  EXPECT_LE((kLargest + S3Store::part_bytes(kLargest) - 1) / S3Store::part_bytes(kLargest), 10'000u);
}

TEST_F(FilesystemStoreTest, DoesNotWaitForRoomThatAnAttributeWillNeverGet) {
  write_file(source("b/k"), "content");
  const Fd file(::open(source("b/k").c_str(), O_RDWR | O_CLOEXEC));
  const auto status = write_user_metadata(file.get(), {{"long", std::string(60'000, 'x')}});
  EXPECT_FALSE(status.retryable()) << status.text();  // whether it fits or not
}

TEST_F(FilesystemStoreTest, ManyThreadsMakeAndPruneTheSameDirectories) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 25;
  for (int t = 0; t < kThreads; ++t) write_file(source("b/shared/deep/" + std::to_string(t)), std::to_string(t));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      const std::string path = "b/shared/deep/" + std::to_string(t);
      for (int round = 0; round < kRounds; ++round) {
        const auto stored = copy(path);
        EXPECT_TRUE(stored.is_ok()) << stored.status().text();
        if (round + 1 < kRounds) {
          EXPECT_TRUE(remove(path).is_ok());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(tree(target()), tree(source()));
}

}  // namespace
}  // namespace fermata::crr::testing
