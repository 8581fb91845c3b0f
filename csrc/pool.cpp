// Workers spin for about a millisecond after a region and then sleep on a condition variable, so that a training loop
// pays 0.2 us for a region and an idle process pays nothing.
//
// A sleeping worker is woken on another processor than its caller's: Linux may put it beside the caller, which does not
// sleep, and then takes some 10 ms to move it (a product ran at a third of its rate for that long).
//
// One region at a time: whoever finds the pool taken (another thread, or a body that starts a region) runs alone, which
// is right for many Python threads and cannot deadlock. After fork the child has no workers: it forgets the parent's
// pool (its threads do not exist there) and starts a new one when first needed.
#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace graphnet {
namespace {

constexpr auto kSpin = std::chrono::microseconds(1000);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

using Body = void (*)(void* context, int part, int parts);

// A thread that runs one part of a region whenever it is given one. What the two sides write is 128 bytes apart:
// processors fetch cache lines in pairs.
//
// A part belongs to whoever claims it first. The caller claims those that no thread has begun when its own is done:
// on a busy machine the other thread may not be scheduled for milliseconds (training took 5 s instead of 1).
class Worker {
 public:
  explicit Worker(int part) : part_(part), thread_([this] { work(); }) {}
  ~Worker() {
    stop_.store(true, std::memory_order_relaxed);
    give(nullptr, nullptr, 0);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void give(Body body, void* context, int parts) {
    body_ = body;
    context_ = context;
    parts_ = parts;
    given_.store(++round_, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst)) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (asleep_.load(std::memory_order_relaxed)) keep_off_this_processor();
      }
      wake_.notify_one();
    }
  }

  // Once the caller has nothing else to do: runs the part unless the thread has begun it, else waits for it.
  void finish() {
    if (claim(round_)) return body_(context_, part_, parts_);
    for (int tries = 0; done_.load(std::memory_order_acquire) != round_; ++tries) {
      relax();
      if (tries > 20000) std::this_thread::yield();  // more threads than processors
    }
  }

 private:
  void work() {
    for (uint32_t seen = 0;;) {
      seen = next(seen);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!claim(seen)) continue;
      body_(context_, part_, parts_);
      done_.store(seen, std::memory_order_release);
    }
  }

  // Only the next unclaimed round can be claimed, so a thread that wakes late finds nothing to do.
  bool claim(uint32_t round) {
    uint32_t before = round - 1;
    return claimed_.compare_exchange_strong(before, round, std::memory_order_acq_rel);
  }

  uint32_t next(uint32_t seen) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    uint32_t now = 0;
    for (int tries = 1;; ++tries) {
      now = given_.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if (tries % 64 == 0 && std::chrono::steady_clock::now() > until) break;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_.store(true, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return (now = given_.load(std::memory_order_seq_cst)) != seen; });
    asleep_.store(false, std::memory_order_relaxed);
    if (moved_) pthread_setaffinity_np(pthread_self(), sizeof allowed_, &allowed_);
    moved_ = false;
    return now;
  }

  // Called with the mutex while the thread sleeps; once awake it may run anywhere again. Where that is not permitted,
  // or there is no other processor, it wakes where the system likes.
  void keep_off_this_processor() {
    if (moved_) return;  // it was woken for an earlier region and has not got to run yet
    const int here = sched_getcpu();
    const pthread_t thread = thread_.native_handle();
    if (here < 0 || here >= CPU_SETSIZE || pthread_getaffinity_np(thread, sizeof allowed_, &allowed_) != 0) return;
    cpu_set_t others = allowed_;
    CPU_CLR(static_cast<size_t>(here), &others);
    moved_ = CPU_COUNT(&others) > 0 && pthread_setaffinity_np(thread, sizeof others, &others) == 0;
  }

  // Written by the caller, read by the thread.
  alignas(128) std::atomic<uint32_t> given_{0};
  uint32_t round_ = 0;
  Body body_ = nullptr;
  void* context_ = nullptr;
  int parts_ = 0;
  // And the other way round.
  alignas(128) std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> claimed_{0};  // written once a round by either
  std::atomic<bool> stop_{false};
  std::atomic<bool> asleep_{false};
  alignas(128) std::mutex mutex_;
  std::condition_variable wake_;
  cpu_set_t allowed_{};  // with the mutex: where the thread may run
  bool moved_ = false;
  const int part_;
  std::thread thread_;
};

using Workers = std::vector<std::unique_ptr<Worker>>;

int default_threads() {
  int n = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  n = std::min(n, cgroup_quota());
  if (const char* wanted = std::getenv("OMP_NUM_THREADS"))
    if (const long asked = std::strtol(wanted, nullptr, 10); asked > 0) n = static_cast<int>(std::min<long>(n, asked));
  return std::clamp(n, 1, kMaxThreads);
}

struct State {
  State() : limit(default_threads()) { pthread_atfork(before_fork, after_fork_parent, after_fork_child); }

  static void before_fork();
  static void after_fork_parent();
  static void after_fork_child();

  std::atomic<int> limit;
  std::atomic<bool> busy{false};
  Workers workers;
};

// Never destroyed: a daemon thread may still be in a region while the interpreter exits.
State& state() {
  static State& s = *new State;
  return s;
}

bool take() { return !state().busy.exchange(true, std::memory_order_acquire); }
void give_back() { state().busy.store(false, std::memory_order_release); }

// No region runs while the process is copied, so that the child's memory is whole.
void State::before_fork() {
  while (!take()) std::this_thread::yield();
}
void State::after_fork_parent() { give_back(); }
void State::after_fork_child() {
  // The threads are not in this process: forget them without joining.
  for (std::unique_ptr<Worker>& w : state().workers) {
    [[maybe_unused]] Worker* const gone = w.release();
  }
  state().workers.clear();
  give_back();
}

}  // namespace

int num_threads() { return state().limit.load(std::memory_order_relaxed); }

void set_num_threads(int n) { state().limit.store(std::clamp(n, 1, kMaxThreads)); }

void parallel(int wanted, Body body, void* context) {
  int parts = std::min(wanted, num_threads());
  if (parts < 2 || !take()) return body(context, 0, 1);
  Workers& workers = state().workers;
  try {
    while (static_cast<int>(workers.size()) + 1 < parts)
      workers.push_back(std::make_unique<Worker>(static_cast<int>(workers.size()) + 1));
  } catch (const std::exception&) {  // no more threads or memory to be had: make do with those there are
    parts = static_cast<int>(workers.size()) + 1;
  }
  for (int i = 1; i < parts; ++i) workers[static_cast<size_t>(i - 1)]->give(body, context, parts);
  body(context, 0, parts);
  for (int i = 1; i < parts; ++i) workers[static_cast<size_t>(i - 1)]->finish();
  give_back();
}

}  // namespace graphnet
