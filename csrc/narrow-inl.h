// Cross entropy of rows that a vector holds, such as ten classes: W rows at a time, turned, so that a lane is a row and
// nothing is summed over lanes (32 rows of 10: the loss took 510 ns and takes 350). Contract: rows.h.

// Element c of W rows is v[c]; rows from `rows` on repeat the last one.
template <class T>
GN_INLINE void turned_rows(typename Vec<T>::V* v, const T* x, int64_t stride, int64_t n, int64_t rows) {
  for (int64_t r = 0; r < Vec<T>::W; ++r) v[r] = load_n(x + min64(r, rows - 1) * stride, n);
  transpose(v);
}

// The rows' largest elements; v becomes the exponentials of what it is less those; gives their sums.
template <class T>
GN_INLINE typename Vec<T>::V turned_exponentials(typename Vec<T>::V* v, int64_t n, typename Vec<T>::V& top) {
  using V = typename Vec<T>::V;
  top = v[0];
  for (int64_t c = 1; c < n; ++c) top = larger(top, v[c]);
  V sum{};
  for (int64_t c = 0; c < n; ++c) {
    v[c] = exp_down(v[c] - top);
    sum += v[c];
  }
  return sum;
}

template <class T>
void narrow_loss_rows(const T* x, int64_t stride, int64_t n, const int64_t* labels, int64_t rows, double* loss) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  for (int64_t r = 0; r < rows; r += W) {
    V v[W], top;
    turned_rows(v, x + r * stride, stride, n, rows - r);
    const V log_sum = vlog(turned_exponentials<T>(v, n, top));
    for (int64_t i = r; i < min64(rows, r + W); ++i)
      loss[i] = labels[i] < 0 ? 0
                              : static_cast<double>(log_sum[i - r]) -
                                    (static_cast<double>(x[i * stride + labels[i]]) - static_cast<double>(top[i - r]));
  }
}

template <class T>
void narrow_loss_backward_rows(const T* x, int64_t sx, T* dx, int64_t sy, int64_t n, const int64_t* labels,
                               const double* factors, int64_t rows) {
  using V = typename Vec<T>::V;
  using I = typename Vec<T>::I;
  constexpr int W = Vec<T>::W;
  for (int64_t r = 0; r < rows; r += W) {
    const int64_t count = min64(W, rows - r);
    V v[W], top;
    turned_rows(v, x + r * sx, sx, n, rows - r);
    const V sum = turned_exponentials<T>(v, n, top);
    T scales[W] = {}, own[W] = {}, sums[W];
    decltype(I{}[0] + 0) label[W] = {};
    store(sums, sum);
    for (int64_t i = 0; i < count; ++i) {
      if (labels[r + i] < 0) continue;
      scales[i] = static_cast<T>(factors[r + i] / static_cast<double>(sums[i]));
      own[i] = static_cast<T>(factors[r + i]);
      label[i] = static_cast<decltype(label[0] + 0)>(labels[r + i]);
    }
    const V scale = load(scales), factor = load(own);
    I at;
    __builtin_memcpy(&at, label, sizeof at);
    for (int64_t c = 0; c < n; ++c) v[c] = v[c] * scale - (at == static_cast<decltype(label[0] + 0)>(c) ? factor : V{});
    for (int64_t c = n; c < W; ++c) v[c] = V{};
    transpose(v);
    for (int64_t i = 0; i < count; ++i) store_n(dx + (r + i) * sy, labels[r + i] < 0 ? V{} : v[i], n);
  }
}
