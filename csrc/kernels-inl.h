// All that a target file compiles, in order. No include guards: each target file reads these once, in its namespace.
namespace {
#include "simd-inl.h"
#include "math-inl.h"
#include "elementwise-inl.h"
#include "activations-inl.h"
#include "reduce-inl.h"
#include "normalize-inl.h"
#include "softmax-inl.h"
#include "optimizer-inl.h"
#include "random-inl.h"
#include "gemm-inl.h"
#include "turned-inl.h"
#include "short-inl.h"
#include "gemv-inl.h"
#include "update-inl.h"
#include "fused-inl.h"
}  // namespace
#include "fill-inl.h"
