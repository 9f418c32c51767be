#pragma once

#include "http/answer.hpp"
#include "http/connection.hpp"
#include "http/pool.hpp"

#include <memory>
#include <string>

namespace fermata::http {

/// Ok if nothing in `request` could be taken for a different one on the wire. kInvalidArgument.
Status check(const Request& request);

/// One request and the head of its answer, over one connection.
///
/// Threads: one.
class Exchange {
 public:
  /// All borrowed.
  Exchange(Pool& pool, Connection& connection, const Request& request);

  /// Sends, and reads the head. An error of the body's source is returned as it is; of the connection: kUnavailable.
  Result<std::unique_ptr<Answer>> run();

  /// The request was sent whole before the answer came, so that another may follow it.
  bool sent_whole() const { return sent_whole_; }
  bool anything_sent() const { return connection_.bytes_sent() > sent_before_; }
  bool anything_received() const { return connection_.bytes_received() > received_before_; }
  /// The failure was the connection's, not the source's.
  bool connection_failed() const { return connection_failed_; }

 private:
  using Sent = Connection::Sent;

  std::string head() const;
  bool wants_continue() const;
  Result<std::unique_ptr<Answer>> read_answer();
  /// Sends the head, leaving in it what was not sent, then waits a little for the server to say that it wants the body.
  Result<Sent> send_head_alone(std::string_view& head);
  Result<Sent> send_body(std::string_view head);
  /// Fills `buffer` from the body's source, as far as there is something.
  Result<std::size_t> fill(std::span<char> buffer);
  /// Ok if the source has nothing beyond what was announced.
  Status expect_end();
  Result<Sent> write(std::string_view data);
  /// Reads the head that has begun to come; true: it is the answer. False: a provisional one, as a late 100 Continue.
  Result<bool> take_early_answer();

  Pool& pool_;
  Connection& connection_;
  const Request& request_;
  const std::uint64_t sent_before_;
  const std::uint64_t received_before_;
  std::uint64_t body_left_;
  std::unique_ptr<Answer> answer_;
  bool sent_whole_ = false;
  bool connection_failed_ = false;
};

}  // namespace fermata::http
