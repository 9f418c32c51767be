#include "http/pool.hpp"

#include <utility>

namespace fermata::http {

Pool::Pool(Endpoint endpoint, ClientOptions options)
    : endpoint_(std::move(endpoint)), options_(std::move(options)), lookup_(endpoint_.host, endpoint_.port) {
  if (!endpoint_.tls) return;
  auto made = TlsContext::make(options_);
  tls_status_ = made.status();
  if (made) tls_ = *made;
}

Result<Pool::Taken> Pool::take(bool fresh) {
  const Deadline deadline = after(options_.connect_timeout);
  while (true) {
    Result<Taken> taken = take_place(fresh, deadline);
    if (!taken) return taken;
    Connection& connection = *taken->connection;
    if (taken->kept && connection.quiet()) return taken;
    Status status = taken->kept ? Status::ok() : open(connection, deadline);
    if (!taken->kept && status) return taken;
    if (!status) return status;
  }
}

Result<Pool::Taken> Pool::take_place(bool fresh, Deadline deadline) {
  Kept closing;
  std::unique_lock lock(mutex_);
  const auto place = [&] { return interrupted_ || !kept_.empty() || used_.size() < options_.max_connections; };
  if (!changed_.wait_until(lock, deadline, place)) {
    return refuse("all " + std::to_string(options_.max_connections) + " connections are in use: timed out");
  }
  if (interrupted_) return refuse("interrupted");
  prune(closing);
  if (fresh && used_.size() + kept_.size() >= options_.max_connections && !kept_.empty()) {
    closing.push_back(std::move(kept_.front()));
    kept_.pop_front();
  }
  const bool kept = !fresh && !kept_.empty();
  auto connection = kept ? std::move(kept_.back()) : std::make_unique<Connection>();
  if (kept) kept_.pop_back();
  used_.insert(connection.get());
  return Taken{Lease(connection.release(), Close(*this)), kept};
}

Status Pool::open(Connection& connection, Deadline deadline) {
  if (!tls_status_) return {tls_status_.code(), endpoint_.text() + ": " + tls_status_.message()};
  const Status status = connection.open(endpoint_, lookup_, tls_.get(), deadline);
  return status ? status : Status{status.code(), endpoint_.text() + ": " + status.message()};
}

void Pool::keep(Lease lease) {
  std::unique_ptr<Connection> connection(lease.release());
  Kept closing;
  const std::lock_guard lock(mutex_);
  used_.erase(connection.get());
  connection->kept_since = Clock::now();
  (closed_ || interrupted_ ? closing : kept_).push_back(std::move(connection));
  prune(closing);
  changed_.notify_one();
}

void Pool::close(Connection* connection) {
  {
    const std::lock_guard lock(mutex_);
    used_.erase(connection);
  }
  delete connection;
  changed_.notify_one();
}

void Pool::prune(Kept& closing) {
  const Deadline oldest = Clock::now() - options_.keep_alive;
  while (!kept_.empty() && kept_.front()->kept_since < oldest) {
    closing.push_back(std::move(kept_.front()));
    kept_.pop_front();
  }
}

void Pool::interrupt() {
  {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    for (Connection* connection : used_) connection->interrupt();
    kept_.clear();
  }
  changed_.notify_all();
  lookup_.wake();
}

void Pool::resume() {
  const std::lock_guard lock(mutex_);
  interrupted_ = false;
}

void Pool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  kept_.clear();
}

std::size_t Pool::size() const {
  const std::lock_guard lock(mutex_);
  return used_.size() + kept_.size();
}

Status Pool::refuse(const std::string& why) const { return {Code::kUnavailable, endpoint_.text() + ": " + why}; }

}  // namespace fermata::http
