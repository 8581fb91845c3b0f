// Inner loops of softmax and cross-entropy. Contract: rows.h; a row is contiguous and n >= 1, y may be x.
//
// The largest element is subtracted first; a row of -inf gives -inf - -inf = NaN, as in PyTorch. Sums of exponentials
// are of numbers in [0, 1] with a 1 among them, so plain vector accumulators are accurate enough.
//
// Several rows pass each stage together: a stage ends in a reduction over lanes, which takes as long as many elements
// unless the next row's is under way. Meanwhile the next rows are fetched: no loads would go to memory otherwise.

// What is still to be done to a row: to[i] = Op::f(from[i], a, b). It is done vector by vector beside other work.
enum class Put { none, plain, streamed };
struct Times {
  template <class V, class T>
  GN_INLINE V f(V x, T a, T) {
    return x * a;
  }
};
struct Minus {
  template <class V, class T>
  GN_INLINE V f(V x, T a, T b) {
    return x - a - b;
  }
};
template <class T, class Op, Put kPut>
struct Rest {
  const T* from;
  T* to;
  T a, b;

  GN_INLINE void put(T* to, typename Vec<T>::V v) {
    if constexpr (kPut == Put::streamed)
      stream(to, v);
    else
      store(to, v);
  }
  __attribute__((always_inline)) void one(int64_t i) const {
    if constexpr (kPut != Put::none) put(to + i, Op::f(load(from + i), a, b));
  }
  __attribute__((always_inline)) void tail(int64_t i, int64_t n) const {
    if constexpr (kPut == Put::streamed)
      stream_n(to + i, Op::f(load_n(from + i, n), a, b), n);
    else if constexpr (kPut == Put::plain)
      store_n(to + i, Op::f(load_n(from + i, n), a, b), n);
  }
  __attribute__((always_inline)) void all(int64_t n) const {
    constexpr int W = Vec<T>::W;
    int64_t i = 0;
    for (; i + W <= n; i += W) one(i);
    if (i < n) tail(i, n - i);
  }
};

// e[i] = exp(x[i] - top) where they are kept; returned sums, one a lane. Fetches what lies `ahead` of x, and does
// `rest` to another row meanwhile, which may be the one that e takes the place of.
template <bool kKeep, class T, class R>
GN_INLINE typename Vec<T>::V exp_sums(const T* x, T* e, int64_t n, T top, int64_t ahead, const R& rest) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const V shift = broadcast<T>(top);
  V a0{}, a1{};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    __builtin_prefetch(x + ahead + i, 0, 2);
    __builtin_prefetch(x + ahead + i + W, 0, 2);
    const V x0 = load(x + i) - shift, x1 = load(x + i + W) - shift;
    const V e0 = kKeep ? exp_down(x0) : exp_summand(x0), e1 = kKeep ? exp_down(x1) : exp_summand(x1);
    rest.one(i);
    rest.one(i + W);
    if constexpr (kKeep) {
      store(e + i, e0);
      store(e + i + W, e1);
    }
    a0 += e0;
    a1 += e1;
  }
  if (i + W <= n) {
    const V x0 = load(x + i) - shift, e0 = kKeep ? exp_down(x0) : exp_summand(x0);
    rest.one(i);
    if constexpr (kKeep) store(e + i, e0);
    a0 += e0;
    i += W;
  }
  if (i < n) {
    const V x0 = load_n(x + i, n - i) - shift, e0 = kKeep ? exp_down(x0) : exp_summand(x0);
    rest.tail(i, n - i);
    if constexpr (kKeep) store_n(e + i, e0, n - i);
    a1 += first_lanes<T>(e0, n - i, V{});
  }
  return a0 + a1;
}

struct Larger {
  template <class V>
  GN_INLINE V f(V a, V b) {
    return larger(a, b);
  }
};

// Lanes of which the largest is x's. A NaN may get lost here: it comes back with its own exponential.
template <class T>
GN_INLINE typename Vec<T>::V tops(const T* x, int64_t n) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  if (n < W) return first_lanes<T>(load_n(x, n), n, broadcast<T>(x[0]));
  V a0 = load(x), a1 = load(x + n - W);
  int64_t i = W;
  for (; i + 2 * W <= n; i += 2 * W) {
    a0 = larger(a0, load(x + i));
    a1 = larger(a1, load(x + i + W));
  }
  if (i + W <= n) a0 = larger(a0, load(x + i));
  return larger(a0, a1);
}

// Structs, not lambdas: GCC compiles a template's lambdas without the pragma.
template <class T>
struct TopOf {
  const T* x;
  int64_t sx, n;
  __attribute__((always_inline)) typename Vec<T>::V f(int64_t r) const { return tops(x + r * sx, n); }
};
template <class T, class Op, Put kPut>
GN_INLINE Rest<T, Op, kPut> rest(const Pending& p, int64_t r) {
  return {static_cast<const T*>(p.from) + r * p.from_step, static_cast<T*>(p.to) + r * p.to_step,
          static_cast<T>(p.a[r]), static_cast<T>(p.b[r])};
}

// Op to rows of `p` from `first` on.
template <class T, class Op>
GN_INLINE void finish(const Pending& p, int64_t n, int64_t first) {
  for (int64_t r = first; r < p.rows; ++r)
    if (p.streamed)
      rest<T, Op, Put::streamed>(p, r).all(n);
    else
      rest<T, Op, Put::plain>(p, r).all(n);
}

template <class T, bool kKeep, class Op, Put kPut>
struct ExpSumOf {
  const T* x;
  int64_t sx;
  T* e;
  int64_t se, n, rows;
  const T* top;
  const Pending* last;
  __attribute__((always_inline)) typename Vec<T>::V f(int64_t r) const {
    T* const kept = kKeep ? e + r * se : nullptr;
    const T* const from = x + r * sx;
    if (kPut == Put::none || r >= last->rows)
      return exp_sums<kKeep>(from, kept, n, top[r], 2 * rows * sx, Rest<T, Op, Put::none>{});
    return exp_sums<kKeep>(from, kept, n, top[r], 2 * rows * sx, rest<T, Op, kPut>(*last, r));
  }
};

// The rows' largest elements, exponentials less those (e may be null), and their sums; Op to the rows of `last`.
template <bool kKeep, class Op, class T>
GN_INLINE void exp_rows(const T* x, int64_t sx, T* e, int64_t se, int64_t n, int64_t rows, T* top, T* sum,
                        const Pending* last) {
  fold_rows<T, Larger>(top, rows, TopOf<T>{x, sx, n});
  if (last == nullptr || last->rows == 0)
    fold_rows<T, Sum>(sum, rows, ExpSumOf<T, kKeep, Op, Put::none>{x, sx, e, se, n, rows, top, last});
  else if (last->streamed)
    fold_rows<T, Sum>(sum, rows, ExpSumOf<T, kKeep, Op, Put::streamed>{x, sx, e, se, n, rows, top, last});
  else
    fold_rows<T, Sum>(sum, rows, ExpSumOf<T, kKeep, Op, Put::plain>{x, sx, e, se, n, rows, top, last});
}
template <class T>
GN_INLINE void exp_sum_rows(const T* x, int64_t sx, int64_t n, int64_t rows, T* top, T* sum) {
  exp_rows<false, Times, T>(x, sx, nullptr, 0, n, rows, top, sum, nullptr);
}

// log of n <= kRowsTogether numbers in place.
template <class T>
GN_INLINE void logs(T* x, int64_t n) {
  constexpr int W = Vec<T>::W;
  for (int64_t i = 0; i < n; i += W) store_n(x + i, vlog(load_n(x + i, min64(W, n - i))), min64(W, n - i));
}

// The work on `rows` rows beside what is left to do of `last`; then what is left to do of these.
template <bool kKeep, class Op, class T, class Left>
GN_INLINE void pipelined(const T* x, int64_t sx, T* e, T* y, int64_t sy, int64_t n, int64_t rows, Pending* last,
                         const Left& left) {
  const int64_t se = e == y ? sy : n;
  Pending now;
  now.streamed = last != nullptr && last->streamed;
  now.from = kKeep ? e : x;
  now.from_step = kKeep ? se : sx;
  now.to = y;
  now.to_step = sy;
  now.rows = rows;
  if (rows > 0) {
    T top[kRowsTogether], sum[kRowsTogether];
    exp_rows<kKeep, Op>(x, sx, e, se, n, rows, top, sum, last);
    left.f(top, sum, now);
  }
  if (last == nullptr) return finish<T, Op>(now, n, 0);
  finish<T, Op>(*last, n, rows);
  *last = now;
}

template <class T>
struct SoftmaxLeft {
  __attribute__((always_inline)) void f(const T*, const T* sum, Pending& now) const {
    for (int64_t r = 0; r < now.rows; ++r) {
      now.a[r] = static_cast<double>(T(1) / sum[r]);
      now.b[r] = 0;
    }
  }
};
template <class T>
void softmax_rows(const void* x, int64_t sx, void* e, void* y, int64_t sy, int64_t n, int64_t rows, Pending* last) {
  pipelined<true, Times>(static_cast<const T*>(x), sx, static_cast<T*>(e), static_cast<T*>(y), sy, n, rows, last,
                         SoftmaxLeft<T>{});
}

template <class T>
struct LogSoftmaxLeft {
  __attribute__((always_inline)) void f(const T* top, T* sum, Pending& now) const {
    logs(sum, now.rows);
    for (int64_t r = 0; r < now.rows; ++r) {
      now.a[r] = static_cast<double>(top[r]);
      now.b[r] = static_cast<double>(sum[r]);
    }
  }
};
template <class T>
void log_softmax_rows(const void* x, int64_t sx, void*, void* y, int64_t sy, int64_t n, int64_t rows, Pending* last) {
  pipelined<false, Minus>(static_cast<const T*>(x), sx, static_cast<T*>(nullptr), static_cast<T*>(y), sy, n, rows, last,
                          LogSoftmaxLeft<T>{});
}

template <class T>
void loss_rows(const void* in, int64_t stride, int64_t n, const int64_t* labels, int64_t rows, double* loss) {
  const T* x = static_cast<const T*>(in);
  if (n <= Vec<T>::W && 2 * rows > Vec<T>::W) return narrow_loss_rows(x, stride, n, labels, rows, loss);
  T top[kRowsTogether], log_sum[kRowsTogether];
  exp_sum_rows(x, stride, n, rows, top, log_sum);
  logs(log_sum, rows);
  for (int64_t r = 0; r < rows; ++r)
    loss[r] = labels[r] < 0 ? 0
                            : static_cast<double>(log_sum[r]) -
                                  (static_cast<double>(x[r * stride + labels[r]]) - static_cast<double>(top[r]));
}

template <class T>
struct LossLeft {
  T* e;
  int64_t se, n;
  const int64_t* labels;
  const double* factors;
  __attribute__((always_inline)) void f(const T*, const T* sum, Pending& now) const {
    for (int64_t r = 0; r < now.rows; ++r) {
      now.b[r] = 0;
      if (labels[r] < 0) {
        __builtin_memset(e + r * se, 0, static_cast<size_t>(n) * sizeof(T));
        now.a[r] = 0;
      } else {
        // p - 1 from the sum of the others' exponentials would keep more digits where p is near 1; PyTorch subtracts
        // too.
        e[r * se + labels[r]] -= sum[r];
        now.a[r] = factors[r] / static_cast<double>(sum[r]);
      }
    }
  }
};
template <class T>
void loss_backward_rows(const void* x, int64_t sx, void* e, void* dx, int64_t sy, int64_t n, const int64_t* labels,
                        const double* factors, int64_t rows, Pending* last) {
  if ((last == nullptr || last->rows == 0) && n <= Vec<T>::W && 2 * rows > Vec<T>::W)
    return narrow_loss_backward_rows(static_cast<const T*>(x), sx, static_cast<T*>(dx), sy, n, labels, factors, rows);
  pipelined<true, Times>(static_cast<const T*>(x), sx, static_cast<T*>(e), static_cast<T*>(dx), sy, n, rows, last,
                         LossLeft<T>{static_cast<T*>(e), e == dx ? sy : n, n, labels, factors});
}

// The row's target: probabilities and what smoothing adds, weighted.
template <class T>
GN_INLINE const T* soft_target(const SoftRow& row) {
  T* q = static_cast<T*>(row.target);
  const T share = static_cast<T>(row.smoothing / static_cast<double>(row.n)), rest = static_cast<T>(1 - row.smoothing);
  const T* w = static_cast<const T*>(row.weight);
  if (row.probabilities != nullptr) {
    const T* p = static_cast<const T*>(row.probabilities);
    GN_IVDEP for (int64_t i = 0; i < row.n; ++i) q[i] = p[i] * rest + share;
  } else {
    GN_IVDEP for (int64_t i = 0; i < row.n; ++i) q[i] = share;
    q[row.label] += rest;
  }
  if (w != nullptr) GN_IVDEP
  for (int64_t i = 0; i < row.n; ++i) q[i] *= w[i];
  return q;
}

// The sum of q (log sum exp(x) - x): both are taken from the largest x on.
template <class T>
double soft_loss_row(const SoftRow& row) {
  const T* x = static_cast<const T*>(row.x);
  const T* q = soft_target<T>(row);
  T top[kRowsTogether], log_sum[kRowsTogether];
  exp_sum_rows(x, row.n, row.n, 1, top, log_sum);
  logs(log_sum, 1);
  return static_cast<double>(log_sum[0]) * fold_line<SumOfX>(q, q, row.n, T(0)) -
         fold_line<SumOfProducts>(x, q, row.n, top[0]);
}

template <class T>
void soft_backward_row(const SoftRow& row, void* out, double factor) {
  const T* x = static_cast<const T*>(row.x);
  const T* q = soft_target<T>(row);
  T* dx = static_cast<T*>(out);
  T top[kRowsTogether], sum[kRowsTogether];
  exp_rows<true, Times>(x, row.n, dx, row.n, row.n, 1, top, sum, nullptr);
  const double total = fold_line<SumOfX>(q, q, row.n, T(0));
  const T scale = static_cast<T>(factor * total / static_cast<double>(sum[0])), f = static_cast<T>(factor);
  GN_IVDEP for (int64_t i = 0; i < row.n; ++i) dx[i] = dx[i] * scale - q[i] * f;
}

void softmax_(const Call& call) {
  run_softmax(call, call.in[0].dtype == DType::f32 ? softmax_rows<float> : softmax_rows<double>);
}
void log_softmax_(const Call& call) {
  run_softmax(call, call.in[0].dtype == DType::f32 ? log_softmax_rows<float> : log_softmax_rows<double>);
}
void cross_entropy_(const Call& call) {
  if (run_soft_entropy(call, call.in[0].dtype == DType::f32 ? soft_loss_row<float> : soft_loss_row<double>)) return;
  run_cross_entropy(call, call.in[0].dtype == DType::f32 ? loss_rows<float> : loss_rows<double>,
                    reference::cross_entropy_);
}
void cross_entropy_backward_(const Call& call) {
  if (run_soft_entropy_backward(call,
                                call.in[0].dtype == DType::f32 ? soft_backward_row<float> : soft_backward_row<double>))
    return;
  run_cross_entropy_backward(call,
                             call.in[0].dtype == DType::f32 ? loss_backward_rows<float> : loss_backward_rows<double>,
                             reference::cross_entropy_backward_);
}
