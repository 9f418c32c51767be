#include "contract/contract.hpp"
#include "contract/eventually.hpp"

#include <string>
#include <utility>

namespace fermata::testing {
namespace {

using Message = std::pair<std::string, std::string>;

Fanout::Listener recorder(Calls<Message>& messages, Calls<int>& subscribed) {
  return {[&](std::string_view channel, std::string_view message) {
            messages.add({std::string(channel), std::string(message)});
          },
          [&] { subscribed.add(1); }};
}

TEST_P(FanoutContract, TellsThatTheSubscriptionStands) {
  Calls<Message> messages;
  Calls<int> subscribed;
  ASSERT_TRUE(port().subscribe({"a"}, recorder(messages, subscribed)));
  EXPECT_TRUE(subscribed.reach(1));
  restart();
}

TEST_P(FanoutContract, DeliversToItselfInOrderPerChannel) {
  Calls<Message> messages;
  Calls<int> subscribed;
  ASSERT_TRUE(port().subscribe({"backbeat-replication-paris", "b"}, recorder(messages, subscribed)));
  ASSERT_TRUE(subscribed.reach(1));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(port().publish("backbeat-replication-paris", std::to_string(i)));
  ASSERT_TRUE(messages.reach(100));
  const auto all = messages.all();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], Message("backbeat-replication-paris", std::to_string(i)));
  restart();
}

TEST_P(FanoutContract, KeepsToTheChannelsSubscribed) {
  Calls<Message> messages;
  Calls<int> subscribed;
  ASSERT_TRUE(port().subscribe({"a"}, recorder(messages, subscribed)));
  ASSERT_TRUE(subscribed.reach(1));
  ASSERT_TRUE(port().publish("A", "not ours"));
  ASSERT_TRUE(port().publish("a*", "not ours"));
  ASSERT_TRUE(port().publish("a", "ours"));
  ASSERT_TRUE(messages.reach(1));
  EXPECT_EQ(messages.all().front(), Message("a", "ours"));
  restart();
  EXPECT_EQ(messages.count(), 1u);
}

TEST_P(FanoutContract, APublicationThatNobodyHearsIsNoError) {
  EXPECT_TRUE(port().publish("nobody", "x"));
  EXPECT_TRUE(port().health().ok);
}

}  // namespace
}  // namespace fermata::testing
