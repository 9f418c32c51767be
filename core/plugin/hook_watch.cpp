#include "plugin/hook_watch.hpp"

#include <cstdint>
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
      if (armed && due <= since + hook.limit) return;
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
    std::uint64_t mine = 0;
    {
      const std::lock_guard lock(mutex);
      armed = true;
      due = clock.steady() + delay;
      mine = ++timer;
    }
    executor.post_after(delay, [weak = weak_from_this(), mine] {
      if (const auto self = weak.lock()) self->look(mine);
    });
  }

  void look(std::uint64_t mine) {
    std::chrono::nanoseconds next{};
    {
      const std::lock_guard lock(mutex);
      if (mine != timer) return;  // an earlier timer took its place
      armed = false;
      if (!overrun || !running) return;
      if (clock.steady() - since >= limit()) overrun(*running, reports++ > 0);
      if (reports == 2) return;
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
  bool armed = false;  // a timer is set, for `due`
  SteadyTime due = {};
  std::uint64_t timer = 0;  // number of the newest timer; the others are stale
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
