// Inner loops of normalisation. Contract: normalize.h.
//
// Sums: vector accumulators over at most a block, whose sums are added in double, so that the error does not grow with
// the number of elements beyond a block. The variance is the mean square of what is left without the mean.

// What is added up of x[i] and g[i]. Functions, not lambdas: those do not take the target's vectors under a pragma.
struct SumOfX {
  template <class V, class T>
  GN_INLINE V f(V x, V, T) {
    return x;
  }
};
struct SumOfSquares {
  template <class V, class T>
  GN_INLINE V f(V x, V, T mean) {
    return (x - mean) * (x - mean);
  }
};
struct SumOfProducts {
  template <class V, class T>
  GN_INLINE V f(V x, V g, T mean) {
    return (x - mean) * g;
  }
};

template <class F, class T>
GN_INLINE double fold_line(const T* x, const T* g, int64_t n, T mean) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  constexpr int64_t kBlock = 64 * W;
  double total = 0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t end = min64(n, start + kBlock);
    V a0{}, a1{};
    int64_t i = start;
    for (; i + 2 * W <= end; i += 2 * W) {
      a0 += F::f(load(x + i), load(g + i), mean);
      a1 += F::f(load(x + i + W), load(g + i + W), mean);
    }
    if (i + W <= end) {
      a0 += F::f(load(x + i), load(g + i), mean);
      i += W;
    }
    if (i < end) {
      T lane[W] = {};  // lanes beyond n would add the mean's square
      store_n(lane, F::f(load_n(x + i, end - i), load_n(g + i, end - i), mean), end - i);
      a1 += load(lane);
    }
    total += static_cast<double>(sum_across<T>(a0 + a1));
  }
  return total;
}

// The sum over all segments of a kept index, which lie `step` apart.
template <class F, class T>
GN_INLINE double fold(const Norm& n, const T* x, const T* g, T mean) {
  const int64_t step = n.kept * n.inner;
  double total = 0;
  for (int64_t r = 0; r < n.outer; ++r) total += fold_line<F>(x + r * step, g + r * step, n.inner, mean);
  return total;
}

template <class T>
void normalize_lines(const Norm& n, int64_t begin, int64_t end) {
  const double count = static_cast<double>(n.outer * n.inner);
  const int64_t step = n.kept * n.inner;
  for (int64_t k = begin; k < end; ++k) {
    const T* x = static_cast<const T*>(n.x) + k * n.inner;
    T* out = static_cast<T*>(n.out) + k * n.inner;
    const T mean = n.center ? static_cast<T>(fold<SumOfX>(n, x, x, T(0)) / count) : T(0);
    const double inverse = 1 / __builtin_sqrt(fold<SumOfSquares>(n, x, x, mean) / count + n.eps);
    const T scale = static_cast<T>(inverse);
    if (n.g == nullptr) {
      for (int64_t r = 0; r < n.outer; ++r)
        GN_IVDEP for (int64_t i = 0; i < n.inner; ++i) out[r * step + i] = (x[r * step + i] - mean) * scale;
      continue;
    }
    const T* g = static_cast<const T*>(n.g) + k * n.inner;
    const T mean_g = n.center ? static_cast<T>(fold<SumOfX>(n, g, g, T(0)) / count) : T(0);
    const T slope = static_cast<T>(fold<SumOfProducts>(n, x, g, mean) / count * inverse * inverse);
    for (int64_t r = 0; r < n.outer; ++r) GN_IVDEP for (int64_t i = 0; i < n.inner; ++i) {
        const int64_t at = r * step + i;
        out[at] = (g[at] - mean_g - (x[at] - mean) * slope) * scale;
      }
  }
}

// sum[j] = the sum of f(row, j) over all rows, in blocks of rows.
template <class T, class F>
GN_INLINE void fold_columns(int64_t rows, int64_t width, double* sum, F f) {
  constexpr int64_t kRows = 32;
  T block[256];
  for (int64_t j = 0; j < width; ++j) sum[j] = 0;
  for (int64_t r = 0; r < rows; r += kRows) {
    for (int64_t j = 0; j < width; ++j) block[j] = 0;
    const int64_t stop = min64(rows, r + kRows);
    for (int64_t i = r; i < stop; ++i) GN_IVDEP for (int64_t j = 0; j < width; ++j) block[j] += f(i, j);
    for (int64_t j = 0; j < width; ++j) sum[j] += static_cast<double>(block[j]);
  }
}

template <class T>
void normalize_columns(const Norm& n, int64_t begin, int64_t end) {
  constexpr int64_t kWidth = 256;
  const double count = static_cast<double>(n.outer);
  for (int64_t k = begin; k < end; k += kWidth) {
    const int64_t width = min64(kWidth, end - k), step = n.kept;
    const T* x = static_cast<const T*>(n.x) + k;
    T* out = static_cast<T*>(n.out) + k;
    double sum[kWidth], square[kWidth];
    T mean[kWidth] = {}, scale[kWidth];
    if (n.center) {
      fold_columns<T>(n.outer, width, sum,
                      [=](int64_t i, int64_t j) __attribute__((always_inline)) { return x[i * step + j]; });
      for (int64_t j = 0; j < width; ++j) mean[j] = static_cast<T>(sum[j] / count);
    }
    const T* const m = mean;
    fold_columns<T>(n.outer, width, square, [=](int64_t i, int64_t j) __attribute__((always_inline)) {
      return (x[i * step + j] - m[j]) * (x[i * step + j] - m[j]);
    });
    for (int64_t j = 0; j < width; ++j) {
      square[j] = 1 / (square[j] / count + n.eps);
      scale[j] = static_cast<T>(__builtin_sqrt(square[j]));
    }
    if (n.g == nullptr) {
      for (int64_t i = 0; i < n.outer; ++i)
        GN_IVDEP for (int64_t j = 0; j < width; ++j) out[i * step + j] = (x[i * step + j] - mean[j]) * scale[j];
      continue;
    }
    const T* g = static_cast<const T*>(n.g) + k;
    T mean_g[kWidth] = {}, slope[kWidth];
    if (n.center) {
      fold_columns<T>(n.outer, width, sum,
                      [=](int64_t i, int64_t j) __attribute__((always_inline)) { return g[i * step + j]; });
      for (int64_t j = 0; j < width; ++j) mean_g[j] = static_cast<T>(sum[j] / count);
    }
    fold_columns<T>(n.outer, width, sum, [=](int64_t i, int64_t j) __attribute__((always_inline)) {
      return (x[i * step + j] - m[j]) * g[i * step + j];
    });
    for (int64_t j = 0; j < width; ++j) slope[j] = static_cast<T>(sum[j] / count * square[j]);
    for (int64_t i = 0; i < n.outer; ++i) GN_IVDEP for (int64_t j = 0; j < width; ++j) {
        const int64_t at = i * step + j;
        out[at] = (g[at] - mean_g[j] - (x[at] - mean[j]) * slope[j]) * scale[j];
      }
  }
}

template <class T>
void statistics_part(const Norm& n, int64_t begin, int64_t end, double* mean, double* square) {
  const double count = static_cast<double>(n.outer * n.inner);
  if (n.inner != 1) {
    for (int64_t k = begin; k < end; ++k) {
      const T* x = static_cast<const T*>(n.x) + k * n.inner;
      mean[k] = fold<SumOfX>(n, x, x, T(0)) / count;
      square[k] = fold<SumOfSquares>(n, x, x, static_cast<T>(mean[k]));
    }
    return;
  }
  constexpr int64_t kWidth = 256;
  for (int64_t k = begin; k < end; k += kWidth) {
    const int64_t width = min64(kWidth, end - k), step = n.kept;
    const T* x = static_cast<const T*>(n.x) + k;
    T m[kWidth];
    fold_columns<T>(n.outer, width, mean + k,
                    [=](int64_t i, int64_t j) __attribute__((always_inline)) { return x[i * step + j]; });
    for (int64_t j = 0; j < width; ++j) m[j] = static_cast<T>(mean[k + j] /= count);
    const T* const centre = m;
    fold_columns<T>(n.outer, width, square + k, [=](int64_t i, int64_t j) __attribute__((always_inline)) {
      return (x[i * step + j] - centre[j]) * (x[i * step + j] - centre[j]);
    });
  }
}

template <class T>
void normalize_part(const Norm& n, int64_t begin, int64_t end) {
  if (n.inner == 1)
    normalize_columns<T>(n, begin, end);
  else
    normalize_lines<T>(n, begin, end);
}

void normalize_(const Call& call) {
  run_normalize(call, call.out[0].dtype == DType::f32 ? normalize_part<float> : normalize_part<double>,
                reference::normalize_);
}
void normalize_backward_(const Call& call) {
  run_normalize(call, call.out[0].dtype == DType::f32 ? normalize_part<float> : normalize_part<double>,
                reference::normalize_backward_);
}
void running_statistics_(const Call& call) {
  run_running_statistics(call, call.in[0].dtype == DType::f32 ? statistics_part<float> : statistics_part<double>,
                         reference::running_statistics_);
}
