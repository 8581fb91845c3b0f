// Inner loops of softmax and cross-entropy. Contract: rows.h; a row is contiguous and n >= 1, y may be x.
//
// The largest element is subtracted first; a row of -inf gives -inf - -inf = NaN, as in PyTorch. Sums of exponentials
// are of numbers in [0, 1] with a 1 among them, so plain vector accumulators are accurate enough.

// e[i] = exp(x[i] - top), returned sum; e may be null.
template <class T>
GN_INLINE T exp_sum(const T* x, T* e, int64_t n, T top) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const V shift = broadcast<T>(top);
  V a0{}, a1{};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    const V e0 = vexp(load(x + i) - shift), e1 = vexp(load(x + i + W) - shift);
    if (e != nullptr) {
      store(e + i, e0);
      store(e + i + W, e1);
    }
    a0 += e0;
    a1 += e1;
  }
  if (i + W <= n) {
    const V e0 = vexp(load(x + i) - shift);
    if (e != nullptr) store(e + i, e0);
    a0 += e0;
    i += W;
  }
  T sum = sum_across<T>(a0 + a1);
  if (i < n) {
    // Lanes beyond n hold exp(0 - top): they are dropped by storing only n of them and adding those.
    T lane[W] = {};
    const V e0 = vexp(load_n(x + i, n - i) - shift);
    store_n(lane, e0, n - i);
    if (e != nullptr) store_n(e + i, e0, n - i);
    sum += sum_across<T>(load(lane));
  }
  return sum;
}

template <class T>
GN_INLINE T row_top(const T* x, int64_t n) {
  constexpr int W = Vec<T>::W;
  if (n >= W) return extreme<T, true>(x, n, x[0]);
  T best = x[0];
  for (int64_t i = 1; i < n; ++i) best = FoldMax::f(best, x[i]);
  return best;
}

GN_INLINE float log_of(float x) { return __builtin_logf(x); }
GN_INLINE double log_of(double x) { return __builtin_log(x); }

template <class T>
void softmax_row(const void* in, void* out, int64_t n) {
  const T* x = static_cast<const T*>(in);
  T* y = static_cast<T*>(out);
  const T sum = exp_sum(x, y, n, row_top(x, n));
  const T scale = T(1) / sum;
  GN_IVDEP for (int64_t i = 0; i < n; ++i) y[i] = y[i] * scale;
}

template <class T>
void log_softmax_row(const void* in, void* out, int64_t n) {
  const T* x = static_cast<const T*>(in);
  T* y = static_cast<T*>(out);
  const T top = row_top(x, n);
  const T log_sum = log_of(exp_sum<T>(x, nullptr, n, top));
  GN_IVDEP for (int64_t i = 0; i < n; ++i) y[i] = x[i] - top - log_sum;
}

template <class T>
void loss_rows(const void* in, int64_t stride, int64_t n, const int64_t* labels, int64_t count, double* loss) {
  const T* x = static_cast<const T*>(in);
  for (int64_t i = 0; i < count; ++i, x += stride) {
    loss[i] = 0;
    if (labels[i] < 0) continue;
    const T top = row_top(x, n);
    const T sum = exp_sum<T>(x, nullptr, n, top);
    loss[i] = static_cast<double>(log_of(sum)) - (static_cast<double>(x[labels[i]]) - static_cast<double>(top));
  }
}

template <class T>
void loss_backward_row(const void* in, void* out, int64_t n, int64_t label, double factor) {
  const T* x = static_cast<const T*>(in);
  T* dx = static_cast<T*>(out);
  const T sum = exp_sum(x, dx, n, row_top(x, n));
  // p - 1 from the sum of the others' exponentials would keep more digits where p is near 1; PyTorch subtracts too.
  const T scale = static_cast<T>(factor / static_cast<double>(sum));
  GN_IVDEP for (int64_t i = 0; i < n; ++i) dx[i] = dx[i] * scale;
  dx[label] -= static_cast<T>(factor);
}

void softmax_(const Call& call) {
  run_softmax(call, call.in[0].dtype == DType::f32 ? softmax_row<float> : softmax_row<double>);
}
void log_softmax_(const Call& call) {
  run_softmax(call, call.in[0].dtype == DType::f32 ? log_softmax_row<float> : log_softmax_row<double>);
}
void cross_entropy_(const Call& call) {
  run_cross_entropy(call, call.in[0].dtype == DType::f32 ? loss_rows<float> : loss_rows<double>,
                    reference::cross_entropy_);
}
void cross_entropy_backward_(const Call& call) {
  run_cross_entropy_backward(call,
                             call.in[0].dtype == DType::f32 ? loss_backward_row<float> : loss_backward_row<double>,
                             reference::cross_entropy_backward_);
}
