// What the kernels work with: memory for a while, and loops whose turns are shared out among the threads.

#pragma once

#include <new>

#include "threads.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

constexpr long ceil_divide(long a, long b) { return (a + b - 1) / b; }
constexpr long least(long a, long b) { return a < b ? a : b; }

/// Uninitialised memory, aligned to cache lines.
template <class Real>
class Buffer {
public:
    explicit Buffer(long size) : data_(static_cast<Real*>(::operator new(size * sizeof(Real), ALIGNMENT))) {}
    ~Buffer() { ::operator delete(data_, ALIGNMENT); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    Real* operator+(long offset) const { return data_ + offset; }
    Real& operator[](long index) const { return data_[index]; }

private:
    static constexpr std::align_val_t ALIGNMENT{64};
    Real* data_;
};

/// Call work(part) for every part, shared out among the threads.
template <class Work>
void parallel(long parts, const Work& work) {
    run_parts(
        parts, [](const void* context, long part) { (*static_cast<const Work*>(context))(part); }, &work);
}

/// Call work(first, last) for `parts` stretches of 0 .. items - 1.
template <class Work>
void parallel_ranges(long items, long parts, const Work& work) {
    parallel(parts, [&](long part) { work(items * part / parts, items * (part + 1) / parts); });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
