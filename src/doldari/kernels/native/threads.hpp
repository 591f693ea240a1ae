// A small pool of threads that waits, briefly spinning, for the next loop to share out.

#pragma once

namespace doldari {

/// Call work(context, part) for every part in 0 .. parts - 1 and return when all are done.
///
/// The caller takes parts too; with one part, or while another thread is using the pool, it takes them all.
void run_parts(long parts, void (*work)(const void* context, long part), const void* context);

/// How many parts to make of `items` that take `flops` operations altogether.
long part_count(long items, double flops);

int num_threads();
void set_num_threads(int threads);

/// From now on, share out nothing of what the calling thread asks for.
void work_alone();

}  // namespace doldari
