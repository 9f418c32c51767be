#include "plugin/hook_watch.hpp"

#include <mutex>
#include <optional>
#include <utility>

namespace fermata::plugin {
namespace {

constexpr int kHungFactor = 10;

}  // namespace

struct HookWatch::State : std::enable_shared_from_this<State> {
  State(Executor& on, const Clock& time, Overrun callback) : executor(on), clock(time), overrun(std::move(callback)) {}

  void begin(const Hook& hook) {
    {
      const std::lock_guard lock(mutex);
      running = hook;
      since = clock.steady();
      reports = 0;
      if (std::exchange(armed, true)) return;
    }
    arm(hook.limit);
  }

  std::chrono::milliseconds end() {
    const std::lock_guard lock(mutex);
    running.reset();
    if (reports == 0) return {};
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady() - since);
  }

  void arm(std::chrono::nanoseconds delay) {
    executor.post_after(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }

  void look() {
    std::chrono::nanoseconds next{};
    {
      const std::lock_guard lock(mutex);
      armed = overrun && running && reports < 2;
      if (!armed) return;
      if (clock.steady() - since >= limit()) overrun(*running, reports++ > 0);
      armed = reports < 2;
      if (!armed) return;
      next = limit() - (clock.steady() - since);
    }
    arm(next);
  }

  std::chrono::nanoseconds limit() const { return reports == 0 ? running->limit : running->limit * kHungFactor; }

  Executor& executor;
  const Clock& clock;
  std::mutex mutex;  // guards all below; held while overrun is called, so that it never comes after end
  Overrun overrun;
  std::optional<Hook> running;
  SteadyTime since = {};
  int reports = 0;
  bool armed = false;  // a timer is set
};

HookWatch::HookWatch(Executor& executor, const Clock& clock, Overrun overrun)
    : state_(std::make_shared<State>(executor, clock, std::move(overrun))) {}

HookWatch::~HookWatch() {
  const std::lock_guard lock(state_->mutex);
  state_->overrun = nullptr;
}

void HookWatch::begin(const Hook& hook) { state_->begin(hook); }
std::chrono::milliseconds HookWatch::end() { return state_->end(); }

}  // namespace fermata::plugin
