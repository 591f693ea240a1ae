// Greedy answers of a whole batch: an LSTM decoder that reads its own choices, with or without attention.

#pragma once

#include "attention.hpp"
#include "lstm.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// The position of the highest score, as numpy's argmax: the first of equals, and the first NaN before all.
template <class Real>
int32_t argmax(const Real* scores, const Real* bias, long V) {
    long best = 0;
    Real highest = scores[0] + bias[0];
    for (long id = 1; id < V; ++id) {
        const Real score = scores[id] + bias[id];
        if (score > highest || (std::isnan(score) && !std::isnan(highest))) {
            best = id;
            highest = score;
        }
    }
    return static_cast<int32_t>(best);
}

/// Writes the answers of blocks of rows, of which each is taken through all of its steps before the next.
///
/// Scored is h or, where there is a memory to look at, tanh(what is found there + h Wq + bq).
template <class Real>
class GreedyWriter {
public:
    explicit GreedyWriter(const LstmGreedy<Real>& p)
        : p_(p), Wh_(p.Wh, p.H, p.H, 4, p.N), W_(p.W, p.M, p.V, 1, p.N), Wq_(p.Wq, p.H, p.M, 1, p.N) {}

    void run() {
        const long blocks = ceil_divide(p_.N, ROW_BLOCK);
        parallel_ranges(blocks, part_count(blocks, 8.0 * p_.N * p_.T * H * H), [&](long first, long last) {
            Scratch scratch(p_);
            for (long block = first; block < last; ++block)
                write_block(block * ROW_BLOCK, least(p_.N, (block + 1) * ROW_BLOCK), scratch);
        });
    }

private:
    static constexpr long P = PANEL<Real>;

    /// What a block's rows need: two states, that of a step and that before it; what is scored, and the scores.
    struct Scratch {
        const long state_size;
        const Buffer<Real> states, features, scores, query, fitting;
        Places<Real> places;

        explicit Scratch(const LstmGreedy<Real>& p)
            : state_size(panels_of<Real>(p.H) * P * ROW_BLOCK), states(4 * state_size), features(ROW_BLOCK * p.M),
              scores(ROW_BLOCK * P * panels_of<Real>(p.V)), query(p.H), fitting(p.S), places(p.S) {}

        Level<Real> state(long t) const {  // h and c, a row of panels for each row of the block
            Real* base = states + (t & 1) * 2 * state_size;
            return {{nullptr, 0}, {base, ROW_BLOCK}, {base + state_size, ROW_BLOCK}};
        }
    };

    /// Answer rows first .. last - 1.
    void write_block(long first, long last, Scratch& scratch) const {
        int32_t live[ROW_BLOCK], ids[ROW_BLOCK];  // the rows whose answer has not ended; what each read last
        const Real *hs[ROW_BLOCK], *features[ROW_BLOCK];
        Real *looked[ROW_BLOCK], *scores[ROW_BLOCK];
        long rows = last - first;
        into_panels({p_.h0[first], p_.h0.stride}, H, 0, rows, scratch.state(-1).h);
        into_panels({p_.c0[first], p_.c0.stride}, H, 0, rows, scratch.state(-1).c);
        for (long r = 0; r < rows; ++r) {
            live[r] = static_cast<int32_t>(r);
            ids[r] = p_.start_id;
            features[r] = looked[r] = scratch.features + r * M;
            scores[r] = scratch.scores + r * panels_of<Real>(V) * P;
        }
        for (long t = 0; t < p_.T && rows > 0; ++t) {
            const Level<Real> before = scratch.state(t - 1), here = scratch.state(t);
            step_forward<4>(
                before.h, live, rows, rows, Wh_, [](long child) { return child; },
                [&](long child, const Real* sums, long panel) {
                    const long r = live[child], unit = panel * P;
                    const Place<Real> place{
                        p_.table + ids[r] * 4 * H + unit,
                        p_.context == nullptr ? nullptr : p_.context + (first + r) * 4 * H + unit,
                        before.h.at(panel, r), before.c.at(panel, r), nullptr, 0,
                        here.h.at(panel, r), here.c.at(panel, r)};
                    if (unit + P <= H) LstmCell::forward<true>(sums, place, H, H - unit);
                    else LstmCell::forward<false>(sums, place, H, H - unit);
                });
            for (long i = 0; i < rows; ++i) hs[i] = here.h.at(0, live[i]);
            const bool looks = p_.keys != nullptr;
            if (looks) {
                for (long i = 0; i < rows; ++i) find(first + live[i], here.h, live[i], scratch, looked[i]);
                combine(hs, rows, here.h.runs(), looked);
            }
            for (long i = 0; i < rows; ++i) std::memset(scores[i], 0, V * sizeof(Real));
            W_.add(looks ? features : hs, rows, looks ? DENSE : here.h.runs(), scores);
            rows = choose(first, t, live, rows, scores, ids);
        }
    }

    /// Look in the memory of question n for h, which is row r of a block.
    void find(long n, const Panels<Real>& h, long r, Scratch& scratch, Real* found) const {
        out_of_panels(h, r, H, scratch.query + 0);
        scratch.places.find(p_, n);
        look(scratch.query + 0, scratch.places, H, M, scratch.fitting + 0, found);
    }

    /// Make of what was found the features: tanh(found + h Wq + bq).
    void combine(const Real* const* hs, long rows, Runs runs, Real* const* found) const {
        constexpr long L = LANES<Real>;
        Wq_.add(hs, rows, runs, found);
        for (long i = 0; i < rows; ++i) {
            for (long j = 0; j < M; j += L) {
                Vector<Real> x[1] = {load(found[i] + j, M - j) + load(p_.bq + j, M - j)};
                tanh(x);
                store(found[i] + j, x[0], M - j);
            }
        }
    }

    /// Write step t of the live rows' answers; keep the rows that go on, and return how many they are.
    long choose(long first, long t, int32_t* live, long rows, Real* const* scores, int32_t* ids) const {
        long still = 0;
        for (long i = 0; i < rows; ++i) {
            const int32_t r = live[i];
            int32_t* answer = p_.answers + (first + r) * p_.T;
            answer[t] = ids[r] = argmax(scores[i], p_.bias + (first + r) * V, V);
            if (answer[t] != p_.pad_id) live[still++] = r;
            else for (long rest = t + 1; rest < p_.T; ++rest) answer[rest] = p_.pad_id;
        }
        return still;
    }

    const LstmGreedy<Real>& p_;
    const long H = p_.H, V = p_.V, M = p_.M;
    const Weights<Real> Wh_, W_, Wq_;
};

template <class Real>
void lstm_greedy(const LstmGreedy<Real>& p) {
    GreedyWriter<Real>(p).run();
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
