// Products whose epilogue is more than bias and ReLU. Contract: product.h.

template <class T>
void mask_rows(void* g0, int64_t rg, const void* y0, int64_t ry, int64_t rows, int64_t n, double* sums) {
  T* g = static_cast<T*>(g0);
  const T* y = static_cast<const T*>(y0);
  if (sums == nullptr) {
    for (int64_t r = 0; r < rows; ++r, g += rg, y += ry)
      GN_IVDEP for (int64_t q = 0; q < n; ++q) g[q] = y[q] <= T(0) ? T(0) : g[q];
    return;
  }
  // As the reductions: short sums in T, long ones in double.
  constexpr int64_t kColumns = 256;
  for (int64_t j = 0; j < n; j += kColumns) {
    const int64_t m = min64(kColumns, n - j);
    for (int64_t i = 0; i < rows; i += kBlockRows) {
      T part[kColumns] = {};
      for (int64_t r = i; r < min64(rows, i + kBlockRows); ++r) {
        T* const row = g + r * rg + j;
        const T* const on = y + r * ry + j;
        GN_IVDEP for (int64_t q = 0; q < m; ++q) {
          const T v = on[q] <= T(0) ? T(0) : row[q];
          row[q] = v;
          part[q] += v;
        }
      }
      for (int64_t q = 0; q < m; ++q) sums[j + q] += static_cast<double>(part[q]);
    }
  }
}

// The same for a whole product whose a and b are row-major: in its tiles' epilogue.
template <class T>
void gemm_masked(const Product& p, const void* y, int64_t ry) {
  if (p.k <= kDepth && !bf16_pays<T>(p)) return gemm_tiles<T>(p, static_cast<const T*>(y), ry);
  gemm<T>(p);
  mask_rows<T>(p.c, p.rc, y, ry, p.m, p.n, nullptr);
}

void matmul_relu_backward_(const Call& call) {
  if (call.in[0].dtype == DType::f32)
    run_matmul_relu_backward(call, gemm<float>, mask_rows<float>, gemm_masked<float>, reference::matmul_relu_backward_);
  else
    run_matmul_relu_backward(call, gemm<double>, mask_rows<double>, gemm_masked<double>,
                             reference::matmul_relu_backward_);
}
void matmul_sgd_(const Call& call) {
  if (call.in[0].dtype == DType::f32)
    run_matmul_update(call, gemm<float>, sgd_step<float>, matmul_sgd_tiles<float>, call.params, reference::matmul_sgd_);
  else
    run_matmul_update(call, gemm<double>, sgd_step<double>, matmul_sgd_tiles<double>, call.params,
                      reference::matmul_sgd_);
}
void matmul_adam_(const Call& call) {
  double params[kAdamParams];
  adam_params(call.params, params);
  if (call.in[0].dtype == DType::f32)
    run_matmul_update(call, gemm<float>, adam_step<float>, nullptr, params, reference::matmul_adam_);
  else
    run_matmul_update(call, gemm<double>, adam_step<double>, nullptr, params, reference::matmul_adam_);
}

// The sums of n <= C W columns of a few rows, added up as the reduction `sum` does; unless kPart, n is C W.
template <class T, int C, bool kPart>
GN_INLINE void column_sums(const T* g, int64_t rg, int64_t m, int64_t n, T* out) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const auto at = [&](const T* row, int c) __attribute__((always_inline)) {
    return kPart && c == C - 1 ? load_n(row + c * W, n - (C - 1) * W) : load(row + c * W);
  };
  const auto block_of = [&](int64_t i, int64_t rows, V* block) __attribute__((always_inline)) {
    const T* row = g + i * rg;
    GN_EACH(c, C)
      block[c.value] = V{};
    GN_END;
    for (; rows >= 4; rows -= 4, row += 4 * rg) GN_EACH(c, C)
        block[c.value] +=
            (at(row, c.value) + at(row + rg, c.value)) + (at(row + 2 * rg, c.value) + at(row + 3 * rg, c.value));
    GN_END;
    for (; rows > 0; --rows, row += rg) GN_EACH(c, C)
        block[c.value] += at(row, c.value);
    GN_END;
  };
  V block[C];
  if (m > kBlockRows) {
    double total[C * W] = {};
    for (int64_t i = 0; i < m; i += kBlockRows) {
      T part[C * W];
      block_of(i, min64(kBlockRows, m - i), block);
      GN_EACH(c, C)
        store(part + c.value * W, block[c.value]);
      GN_END;
      for (int c = 0; c < C * W; ++c) total[c] += static_cast<double>(part[c]);
    }
    for (int64_t c = 0; c < n; ++c) out[c] = static_cast<T>(total[c]);
    return;
  }
  block_of(0, m, block);
  GN_EACH(c, C)
    if (kPart && c.value == C - 1)
      store_n(out + c.value * W, block[c.value], n - (C - 1) * W);
    else
      store(out + c.value * W, block[c.value]);
  GN_END;
}

// The sums of n columns of m rows.
template <class T>
void columns_summed(const void* from, int64_t rg, int64_t m, int64_t n, void* to) {
  constexpr int64_t W = Vec<T>::W;
  const T* const g = static_cast<const T*>(from);
  T* const sums = static_cast<T*>(to);
  int64_t c = 0;
  for (; c + 4 * W <= n; c += 4 * W) column_sums<T, 4, false>(g + c, rg, m, 4 * W, sums + c);
  for (; c + W <= n; c += W) column_sums<T, 1, false>(g + c, rg, m, W, sums + c);
  if (c < n) column_sums<T, 1, true>(g + c, rg, m, n - c, sums + c);
}

void sum_sgd_(const Call& call) {
  if (call.in[0].dtype == DType::f32)
    run_sum_update(call, columns_summed<float>, sgd_step<float>, call.params, sum_, sgd_, reference::sum_sgd_);
  else
    run_sum_update(call, columns_summed<double>, sgd_step<double>, call.params, sum_, sgd_, reference::sum_sgd_);
}
void sum_adam_(const Call& call) {
  double params[kAdamParams];
  adam_params(call.params, params);
  if (call.in[0].dtype == DType::f32)
    run_sum_update(call, columns_summed<float>, adam_step<float>, params, sum_, adam_, reference::sum_adam_);
  else
    run_sum_update(call, columns_summed<double>, adam_step<double>, params, sum_, adam_, reference::sum_adam_);
}
