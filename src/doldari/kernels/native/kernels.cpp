// All kernels for one instruction set; built once for each, with DOLDARI_ISA its name.

#include "adam.hpp"
#include "attention.hpp"
#include "embedding.hpp"
#include "greedy.hpp"
#include "gru.hpp"
#include "heads.hpp"
#include "lattice.hpp"
#include "likeliest.hpp"
#include "loss.hpp"
#include "lstm.hpp"
#include "norm.hpp"
#include "product.hpp"
#include "walk.hpp"

namespace doldari::DOLDARI_ISA {

template <class Real>
constexpr Kernels<Real> all{
    .lstm_forward = lstm_forward<Real>,
    .lstm_backward = lstm_backward<Real>,
    .lstm_greedy = lstm_greedy<Real>,
    .gru_forward = gru_forward<Real>,
    .gru_backward = gru_backward<Real>,
    .attend = attend<Real>,
    .attend_backward = attend_backward<Real>,
    .rotate = rotate<Real>,
    .attend_heads = attend_heads<Real>,
    .attend_heads_backward = attend_heads_backward<Real>,
    .layer_norm = layer_norm<Real>,
    .layer_norm_backward = layer_norm_backward<Real>,
    .meet = meet<Real>,
    .meet_backward = meet_backward<Real>,
    .transduce = transduce<Real>,
    .transduce_backward = transduce_backward<Real>,
    .walk_forward = walk_forward<Real>,
    .walk_backward = walk_backward<Real>,
    .add_product = add_product<Real>,
    .affine = affine<Real>,
    .scatter_rows = scatter_rows<Real>,
    .softmax_loss = softmax_loss<Real>,
    .likeliest = likeliest<Real>,
    .clip_gradients = clip_gradients<Real>,
    .adam = adam<Real>,
};

#define DOLDARI_STRING(name) #name
#define DOLDARI_NAME(name) DOLDARI_STRING(name)
const InstructionSet instruction_set{DOLDARI_NAME(DOLDARI_ISA), all<float>, all<double>};

}  // namespace doldari::DOLDARI_ISA
