// A small pool of threads that waits, briefly spinning, for the next loop to share out.

#pragma once

namespace doldari {

/// Call work(context, part) for every part in 0 .. parts - 1 and return when all are done.
///
/// The caller takes parts too; with one part, or while another thread is using the pool, it takes them all.
void run_parts(long parts, void (*work)(const void* context, long part), const void* context);

int num_threads();
void set_num_threads(int threads);

/// How many parts to make of `items` that take `flops` operations altogether.
inline long part_count(long items, double flops) {
    // Handing a part to a waiting thread takes about 2 us, in which one core does some 100,000 operations.
    constexpr double FLOPS_A_PART = 300e3;
    const long worthwhile = static_cast<long>(flops / FLOPS_A_PART);
    long parts = num_threads();
    if (parts > items) parts = items;
    if (parts > worthwhile) parts = worthwhile;
    return parts < 1 ? 1 : parts;
}

}  // namespace doldari
