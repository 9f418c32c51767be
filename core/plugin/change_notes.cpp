#include "plugin/change_notes.hpp"

#include "plugin/call_gate.hpp"

#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace fermata::plugin {
namespace {

struct GatedListener {
  ChangeNotes::Listener call;
  CallGate gate;
};

}  // namespace

struct ChangeNotes::State : std::enable_shared_from_this<State> {
  explicit State(Executor& on) : executor(on) {}

  void note(std::string_view location) {
    {
      const std::lock_guard lock(mutex);
      if (listener == nullptr) return;
      changed.emplace(location);
      if (std::exchange(posted, true)) return;
    }
    executor.post([self = shared_from_this()] { self->tell(); });
  }

  void tell() {
    std::set<std::string, std::less<>> round;
    std::shared_ptr<GatedListener> to;
    {
      const std::lock_guard lock(mutex);
      round.swap(changed);
      posted = false;
      to = listener;
    }
    if (to == nullptr) return;
    const CallGate::Pass pass(to->gate);
    if (!pass) return;
    for (const auto& location : round) to->call(location);
  }

  Executor& executor;
  std::mutex mutex;  // guards all below
  std::shared_ptr<GatedListener> listener;
  std::set<std::string, std::less<>> changed;
  bool posted = false;
};

ChangeNotes::ChangeNotes(Executor& executor) : state_(std::make_shared<State>(executor)) {}

ChangeNotes::~ChangeNotes() { listen({}); }

void ChangeNotes::listen(Listener listener) {
  std::shared_ptr<GatedListener> next;
  if (listener) {
    next = std::make_shared<GatedListener>();
    next->call = std::move(listener);
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->listener.swap(next);
  }
  if (next != nullptr) next->gate.close(std::chrono::seconds(5));
}

void ChangeNotes::note(std::string_view location) { state_->note(location); }

}  // namespace fermata::plugin
