#include "http/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace fermata::http {

namespace {

constexpr std::size_t kFirstInput = 16 * 1024;

}  // namespace

Status Connection::failure(std::string_view what) const {
  return {Code::kUnavailable, socket_.interrupted() ? "interrupted" : std::string(what)};
}

Status Connection::open(const Endpoint& endpoint, NameLookup& lookup, const TlsContext* tls, Deadline deadline) {
  const Result<std::vector<Address>> addresses = lookup.find(deadline, socket_.interrupted());
  if (!addresses) return addresses.status();
  if (Status status = socket_.connect(*addresses, deadline); !status) return {status.code(), "connecting: " + status.message()};
  if (tls == nullptr) return {};
  tls_.emplace(socket_, *tls, endpoint.host);
  if (Status status = shake_hands(deadline); !status) return {status.code(), "TLS: " + status.message()};
  return {};
}

Status Connection::shake_hands(Deadline deadline) {
  while (true) {
    const Io io = tls_->handshake();
    switch (io.kind) {
      case Io::Kind::kBytes: return {};
      case Io::Kind::kEnd: return failure("the server closed the connection");
      case Io::Kind::kError: return failure(io.text);
      case Io::Kind::kWantsRead:
      case Io::Kind::kWantsWrite: break;
    }
    if (Status status = wait_for(io, deadline); !status) return status;
  }
}

Status Connection::wait_for(const Io& io, Deadline deadline) {
  const short ready = socket_.wait(io.kind == Io::Kind::kWantsWrite ? POLLOUT : POLLIN, deadline);
  return ready == 0 || socket_.interrupted() ? failure("timed out") : Status::ok();
}

bool Connection::quiet() {
  std::array<char, 1> one{};
  return input().empty() && try_peek(one).kind == Io::Kind::kWantsRead;
}

Result<Connection::Sent> Connection::write(std::string_view& data, std::chrono::milliseconds idle) {
  while (!data.empty()) {
    const Io io = try_write(data);
    if (io.kind == Io::Kind::kBytes) {
      data.remove_prefix(io.size);
      bytes_sent_ += io.size;
      continue;
    }
    if (io.kind == Io::Kind::kError || io.kind == Io::Kind::kEnd) {
      ended_ = true;
      return failure("the connection broke: " + io.text);
    }
    const short wanted = io.kind == Io::Kind::kWantsWrite ? POLLOUT : short{0};
    const short ready = socket_.wait(static_cast<short>(wanted | POLLIN), after(idle));
    if (ready == 0) return failure("the server takes no more bytes: timed out");
    if ((ready & POLLIN) != 0 && !quiet()) return Sent::kAnswered;
  }
  return Sent::kWhole;
}

Result<std::size_t> Connection::read(std::span<char> buffer, Deadline deadline) {
  while (true) {
    const Io io = try_read(buffer);
    switch (io.kind) {
      case Io::Kind::kBytes: bytes_received_ += io.size; return io.size;
      case Io::Kind::kEnd:
        ended_ = true;
        if (socket_.interrupted()) return failure("interrupted");
        return std::size_t{0};
      case Io::Kind::kError: ended_ = true; return failure("the connection broke: " + io.text);
      case Io::Kind::kWantsRead:
      case Io::Kind::kWantsWrite: break;
    }
    if (Status status = wait_for(io, deadline); !status) return status;
  }
}

Result<bool> Connection::wait_for_input(Deadline deadline) {
  while (quiet()) {
    if (socket_.wait(POLLIN, deadline) == 0) return false;
  }
  if (socket_.interrupted()) return failure("interrupted");
  return true;
}

Result<bool> Connection::fill(Deadline deadline) {
  if (used_ > 0) std::memmove(input_.data(), input_.data() + used_, filled_ - used_);
  filled_ -= used_;
  used_ = 0;
  if (filled_ == input_.size()) {
    if (filled_ >= kMaxInput) return failure("a head or a line of over " + std::to_string(kMaxInput) + " bytes");
    input_.resize(std::clamp(2 * filled_, kFirstInput, kMaxInput));
  }
  const Result<std::size_t> size = read(std::span(input_).subspan(filled_), deadline);
  if (!size) return size.status();
  filled_ += *size;
  return *size > 0;
}

std::span<char> Connection::output(std::size_t size) {
  if (output_.size() < size) output_.resize(std::min(size, kMaxOutput));
  return output_;
}

}  // namespace fermata::http
