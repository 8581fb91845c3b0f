// Products whose epilogue is more than bias and ReLU. Contract: product.h.

template <class T>
void mask_rows(void* g0, int64_t rg, const void* y0, int64_t ry, int64_t rows, int64_t n, double* sums) {
  T* g = static_cast<T*>(g0);
  const T* y = static_cast<const T*>(y0);
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
      if (sums != nullptr)
        for (int64_t q = 0; q < m; ++q) sums[j + q] += static_cast<double>(part[q]);
    }
  }
}

void matmul_relu_backward_(const Call& call) {
  if (call.in[0].dtype == DType::f32)
    run_matmul_relu_backward(call, gemm<float>, mask_rows<float>, reference::matmul_relu_backward_);
  else
    run_matmul_relu_backward(call, gemm<double>, mask_rows<double>, reference::matmul_relu_backward_);
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
