#pragma once

#include "unit/common/scripted_server.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fermata::ingestion::testing {

/// The log of one raft session over HTTP, in memory; what it answers can be spoilt on the way out.
/// Threads: [any].
class ScriptedBucketd {
 public:
  /// What is really sent instead of an answer's head and body; the connection is closed after it if it differs.
  using Spoil = std::function<std::string(std::string)>;

  std::string url() const { return server_.url(); }

  /// Appends a record of one entry. @return its number.
  std::int64_t add(const std::string& bucket, const std::string& key, const boost::json::object& metadata) {
    return append({{"db", bucket},
                   {"method", 8},
                   {"entries", boost::json::array{boost::json::object{{"key", key}, {"value", boost::json::serialize(metadata)}}}}});
  }
  std::int64_t remove(const std::string& bucket, const std::string& key) {
    return append({{"db", bucket}, {"method", 8}, {"entries", boost::json::array{boost::json::object{{"key", key}, {"type", "del"}}}}});
  }
  std::int64_t append(boost::json::object record) {
    const std::lock_guard lock(mutex_);
    log_.push_back(boost::json::serialize(record));
    return static_cast<std::int64_t>(log_.size());
  }
  /// Forgets what is before `first`.
  void prune(std::int64_t first) {
    const std::lock_guard lock(mutex_);
    prune_ = first;
  }
  /// Loses the end of the log.
  void shorten(std::size_t size) {
    const std::lock_guard lock(mutex_);
    log_.resize(size);
  }
  /// Answers everything with this status; 0: as usual.
  void refuse(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  void spoil(Spoil spoil) {
    const std::lock_guard lock(mutex_);
    spoil_ = std::move(spoil);
  }
  /// Requests, by their targets.
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  static std::int64_t number_in(const std::string& target, const std::string& name) {
    const auto at = target.find(name + "=");
    return at == std::string::npos ? 0 : std::stoll(target.substr(at + name.size() + 1));
  }

  std::pair<int, std::string> answer(const std::string& target) {
    asked_.push_back(target);
    if (status_ != 0) return {status_, "refused"};
    const auto cseq = static_cast<std::int64_t>(log_.size());
    std::int64_t begin = number_in(target, "begin");
    if (begin > cseq) return {416, ""};
    begin = std::max(begin, prune_);
    std::string body = R"({"info":{"start":)" + std::to_string(begin) + R"(,"cseq":)" + std::to_string(cseq) + R"(,"prune":)" +
                       std::to_string(prune_) + R"(},"log":[)";
    const auto end = std::min(cseq, begin + number_in(target, "limit") - 1);
    for (std::int64_t number = begin; number <= end; ++number)
      body += (number > begin ? "," : "") + log_[static_cast<std::size_t>(number - 1)];
    return {200, body + "]}"};
  }

  void serve(fermata::test::Peer& peer) {
    for (std::string head = peer.read_head(); !head.empty(); head = peer.read_head()) {
      const auto begin = head.find(' ') + 1;
      std::string whole;
      Spoil spoil;
      {
        const std::lock_guard lock(mutex_);
        const auto [status, body] = answer(head.substr(begin, head.find(' ', begin) - begin));
        whole = "HTTP/1.1 " + std::to_string(status) + " Told\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        spoil = spoil_;
      }
      const std::string sent = spoil ? spoil(whole) : whole;
      peer.write(sent);
      if (sent != whole) return;
    }
  }

  mutable std::mutex mutex_;  // guards all below
  std::vector<std::string> log_;
  std::int64_t prune_ = 1;
  int status_ = 0;
  Spoil spoil_;
  std::vector<std::string> asked_;
  fermata::test::ScriptedServer server_{[this](fermata::test::Peer& peer, int) { serve(peer); }};  // last: its threads use the rest
};

}  // namespace fermata::ingestion::testing
