#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace doldari {
namespace {

// How long a worker looks for the next loop before it sleeps.  Waking a sleeper takes some 50 us; the calls of one
// training step are less than this apart.
constexpr auto SPIN = std::chrono::microseconds(200);

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Spin until ready() holds or the time is up; say whether it holds.
template <class Ready>
bool spin(Ready ready) {
    const auto until = std::chrono::steady_clock::now() + SPIN;
    do {
        for (int i = 0; i < 64; ++i) {
            if (ready()) return true;
            pause();
        }
    } while (std::chrono::steady_clock::now() < until);
    return ready();
}

class Pool {
public:
    /// Share the parts out among the caller and the workers; false if another thread is doing so now.
    bool run(long parts, void (*work)(const void*, long), const void* context) {
        std::unique_lock running(running_, std::try_to_lock);
        if (!running) return false;
        grow(parts - 1);
        work_ = work;
        context_ = context;
        unfinished_.store(parts, std::memory_order_relaxed);
        const uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
        ticket_.store(loop << 32 | static_cast<uint64_t>(parts));
        if (sleeping_.load() > 0) {
            { std::lock_guard lock(sleep_); }
            wake_.notify_all();
        }
        while (take_part()) {
        }
        const auto done = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
        while (!spin(done)) std::this_thread::yield();
        return true;
    }

private:
    /// Claim an unclaimed part and do it; false if there is none.
    bool take_part() {
        // The ticket holds the number of the loop, so that a late worker cannot claim a part of the next one with
        // what it read of this one, and how many parts are left to claim.  A loop with an unfinished part stays.
        uint64_t ticket = ticket_.load();
        do {
            if (!has_parts(ticket)) return false;
        } while (!ticket_.compare_exchange_weak(ticket, ticket - 1));
        work_(context_, static_cast<long>((ticket & 0xffffffff) - 1));
        unfinished_.fetch_sub(1, std::memory_order_release);
        return true;
    }

    static bool has_parts(uint64_t ticket) { return (ticket & 0xffffffff) != 0; }

    void serve() {
        const auto called = [this] { return has_parts(ticket_.load()); };
        for (;;) {
            if (!spin(called)) {
                std::unique_lock lock(sleep_);
                sleeping_.fetch_add(1);
                wake_.wait(lock, called);
                sleeping_.fetch_sub(1);
            }
            while (take_part()) {
            }
        }
    }

    void grow(long workers) {
        try {
            for (; workers_ < workers; ++workers_) std::thread(&Pool::serve, this).detach();
        } catch (const std::system_error&) {
            // No more threads to be had: those that run, and the caller, do the work.
        }
    }

    std::mutex running_, sleep_;
    std::condition_variable wake_;
    std::atomic<uint64_t> ticket_{0};
    std::atomic<long> unfinished_{0};
    std::atomic<int> sleeping_{0};
    void (*work_)(const void*, long) = nullptr;
    const void* context_ = nullptr;
    long workers_ = 0;
};

std::atomic<int> threads{1};
thread_local bool alone = false;

// Never destroyed: its threads wait in it until the process ends.  A fork has none of them, so the child leaves the
// parent's pool where it is and makes its own.
std::atomic<Pool*> pool{nullptr};

Pool& current_pool() {
    Pool* current = pool.load();
    if (current != nullptr) return *current;
#if !defined(_WIN32)
    [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr); });
#endif
    Pool* fresh = new Pool;
    if (pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
    return *current;
}

}  // namespace

void run_parts(long parts, void (*work)(const void*, long), const void* context) {
    if (parts > 1 && current_pool().run(parts, work, context)) return;
    for (long part = 0; part < parts; ++part) work(context, part);
}

long part_count(long items, double flops) {
    // Handing a part to a waiting thread takes about 2 us, in which one core does some 100,000 operations.
    constexpr double FLOPS_A_PART = 300e3;
    const long worthwhile = static_cast<long>(flops / FLOPS_A_PART);
    return std::max(1L, std::min({static_cast<long>(num_threads()), items, worthwhile}));
}

int num_threads() { return alone ? 1 : threads.load(std::memory_order_relaxed); }

void set_num_threads(int count) { threads.store(count, std::memory_order_relaxed); }

void work_alone() { alone = true; }

}  // namespace doldari
