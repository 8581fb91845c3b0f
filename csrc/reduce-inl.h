// Inner loops of the reductions. Contract: reduce.h; lines and rows are contiguous, n >= 1.
//
// Float sums: vector accumulators over at most kBlockRows additions each, whose sums are then added
// in double, for float64 with the rounding error carried along. So the error does not grow with n beyond a block.

constexpr int kAccumulators = 8;
constexpr int64_t kBlockRows = 16;  // additions into one accumulator before its sum goes to double

// Adds x to a sum that carries what rounding lost (Neumaier). An infinite sum has nothing to carry.
GN_INLINE void add_carried(double& sum, double& lost, double x) {
  const double s = sum + x;
  const double big = __builtin_fabs(sum) >= __builtin_fabs(x) ? sum : x;
  const double small = __builtin_fabs(sum) >= __builtin_fabs(x) ? x : sum;
  const double error = (big - s) + small;
  lost += error - error == 0 ? error : 0;
  sum = s;
}

template <class T>
GN_INLINE T block_sum(const T* x, int64_t n) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  V acc[kAccumulators] = {};
  int64_t i = 0;
  for (; i + kAccumulators * W <= n; i += kAccumulators * W)
    for (int u = 0; u < kAccumulators; ++u) acc[u] += load(x + i + u * W);
  for (; i + W <= n; i += W) acc[0] += load(x + i);
  if (i < n) acc[1] += load_n(x + i, n - i);
  for (int half = kAccumulators / 2; half > 0; half /= 2)
    for (int u = 0; u < half; ++u) acc[u] += acc[u + half];
  return sum_across<T>(acc[0]);
}

template <class T>
void sum_init(void* state, int64_t n) {
  __builtin_memset(state, 0, static_cast<size_t>(n) * 2 * sizeof(double));
}
template <class T>
void sum_line(const void* x, int64_t n, void* state) {
  double* s = static_cast<double*>(state);
  const T* p = static_cast<const T*>(x);
  constexpr int64_t kBlock = kBlockRows * kAccumulators * Vec<T>::W;
  for (int64_t i = 0; i < n; i += kBlock)
    add_carried(s[0], s[1], static_cast<double>(block_sum(p + i, min64(kBlock, n - i))));
}
template <class T>
void sum_rows(const void* x, int64_t rows, int64_t stride, int64_t n, void* state) {
  // Whole stretches of a row at a time: strips a few vectors wide defeat the prefetchers (9 instead of 24 GB/s).
  constexpr int64_t kColumns = 1024, kAhead = 16;  // rows fetched
  const bool large = rows * stride * static_cast<int64_t>(sizeof(T)) > (1 << 20);
  double *sum = static_cast<double*>(state), *lost = sum + n;
  const T* p = static_cast<const T*>(x);
  for (int64_t j = 0; j < n; j += kColumns) {
    const int64_t width = min64(kColumns, n - j);
    for (int64_t r = 0; r < rows; r += kBlockRows) {
      T block[kColumns];
      __builtin_memset(block, 0, sizeof(T) * static_cast<size_t>(width));
      const int64_t end = min64(rows, r + kBlockRows);
      int64_t i = r;
      for (; i + 4 <= end; i += 4) {
        const T *r0 = p + i * stride + j, *r1 = r0 + stride, *r2 = r1 + stride, *r3 = r2 + stride;
        if (large)
          for (int64_t ahead = kAhead; ahead < kAhead + 4; ++ahead) fetch(r0 + ahead * stride, width);
        GN_IVDEP for (int64_t c = 0; c < width; ++c) block[c] += (r0[c] + r1[c]) + (r2[c] + r3[c]);
      }
      for (; i < end; ++i) {
        const T* row = p + i * stride + j;
        GN_IVDEP for (int64_t c = 0; c < width; ++c) block[c] += row[c];
      }
      if constexpr (sizeof(T) == 4) {  // double's own rounding is far below float32's: no need to carry it
        for (int64_t c = 0; c < width; ++c) sum[j + c] += static_cast<double>(block[c]);
      } else {
        for (int64_t c = 0; c < width; ++c) add_carried(sum[j + c], lost[j + c], static_cast<double>(block[c]));
      }
    }
  }
}
template <class T>
void sum_merge(void* state, const void* other, int64_t n) {
  double *sum = static_cast<double*>(state), *lost = sum + n;
  const double *s = static_cast<const double*>(other), *l = s + n;
  for (int64_t i = 0; i < n; ++i) {
    add_carried(sum[i], lost[i], s[i]);
    lost[i] += l[i];
  }
}
template <class T>
void sum_finish(const void* state, void* out, int64_t out_stride, int64_t n, double scale) {
  const double *sum = static_cast<const double*>(state), *lost = sum + n;
  T* o = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) o[i * out_stride] = static_cast<T>((sum[i] + lost[i]) * scale);
}

// The lanes' sums of a line of at most kShort elements, few of which meet in one accumulator.
template <class T>
constexpr int64_t kShort = kBlockRows * 4 * Vec<T>::W;
template <class T>
GN_INLINE typename Vec<T>::V lane_sum(const T* x, int64_t n) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  V a0{}, a1{}, a2{}, a3{};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    a0 += load(x + i);
    a1 += load(x + i + W);
    a2 += load(x + i + 2 * W);
    a3 += load(x + i + 3 * W);
  }
  for (; i + W <= n; i += W) a0 += load(x + i);
  if (i < n) a1 += load_n(x + i, n - i);
  return (a0 + a1) + (a2 + a3);
}
// Structs, not lambdas: GCC compiles a template's lambdas without the pragma.
template <class T>
struct SumOf {
  const T* x;
  int64_t stride, n;
  __attribute__((always_inline)) typename Vec<T>::V f(int64_t r) const { return lane_sum(x + r * stride, n); }
};
// Several short lines, W at a time: folding the lanes of one alone takes as long as many elements.
template <class T, class F, class Of>
GN_INLINE void fold_lines(const Of& of, int64_t lines, T* out, int64_t out_stride, double scale) {
  constexpr int W = Vec<T>::W;
  T part[W];
  for (int64_t r = 0; r < lines; r += W) {
    const int64_t m = min64(W, lines - r);
    fold_rows<T, F>(part, m, Of{of.x + r * of.stride, of.stride, of.n});
    for (int64_t i = 0; i < m; ++i) out[(r + i) * out_stride] = static_cast<T>(static_cast<double>(part[i]) * scale);
  }
}
template <class T>
bool sum_lines(const void* x, int64_t n, int64_t stride, int64_t lines, void* out, int64_t out_stride, double scale) {
  if (n > kShort<T>) return false;
  fold_lines<T, Sum>(SumOf<T>{static_cast<const T*>(x), stride, n}, lines, static_cast<T*>(out), out_stride, scale);
  return true;
}

// Reductions whose state is one element: plain loops that the compiler vectorises for integers and bools.
template <class T, class S, class Op>
struct Simple {
  static void init(void* state, int64_t n) {
    for (int64_t i = 0; i < n; ++i) static_cast<S*>(state)[i] = Op::template identity<S>();
  }
  static void line(const void* x, int64_t n, void* state) {
    const T* p = static_cast<const T*>(x);
    S acc = *static_cast<S*>(state);
    for (int64_t i = 0; i < n; ++i) acc = Op::f(acc, static_cast<S>(value_of(p[i])));
    *static_cast<S*>(state) = acc;
  }
  static void rows(const void* x, int64_t rows, int64_t stride, int64_t n, void* state) {
    S* s = static_cast<S*>(state);
    for (int64_t r = 0; r < rows; ++r) {
      const T* p = static_cast<const T*>(x) + r * stride;
      GN_IVDEP for (int64_t i = 0; i < n; ++i) s[i] = Op::f(s[i], static_cast<S>(value_of(p[i])));
    }
  }
  static void merge(void* state, const void* other, int64_t n) {
    S* s = static_cast<S*>(state);
    for (int64_t i = 0; i < n; ++i) s[i] = Op::f(s[i], static_cast<const S*>(other)[i]);
  }
  static void finish(const void* state, void* out, int64_t out_stride, int64_t n, double) {
    for (int64_t i = 0; i < n; ++i)
      static_cast<T*>(out)[i * out_stride] = static_cast<T>(static_cast<const S*>(state)[i]);
  }
  static constexpr Fold fold{sizeof(S), init, line, rows, merge, finish, nullptr};
};

template <class T>
struct Lowest {
  static constexpr T value = sizeof(T) == 1 ? T(0) : static_cast<T>(T(1) << (sizeof(T) * 8 - 1));
  static constexpr T top = sizeof(T) == 1 ? T(1) : static_cast<T>(~value);
};
template <>
struct Lowest<float> {
  static constexpr float value = -__builtin_inff(), top = __builtin_inff();
};
template <>
struct Lowest<double> {
  static constexpr double value = -__builtin_inf(), top = __builtin_inf();
};

#define GN_FOLD_OP(Name, id, expr) \
  struct Name {                    \
    template <class S>             \
    GN_INLINE S identity() {       \
      return id;                   \
    }                              \
    template <class S>             \
    GN_INLINE S f(S a, S b) {      \
      return expr;                 \
    }                              \
  };
GN_FOLD_OP(FoldAdd, S(0), static_cast<S>(a + b))
GN_FOLD_OP(FoldMul, S(1), static_cast<S>(a* b))
GN_FOLD_OP(FoldMax, Lowest<S>::value, ((a > b) | (a != a) ? a : b))
GN_FOLD_OP(FoldMin, Lowest<S>::top, ((a < b) | (a != a) ? a : b))
GN_FOLD_OP(FoldOr, S(0), static_cast<S>(a | b))
GN_FOLD_OP(FoldAnd, S(1), static_cast<S>(a& b))

// Float extremes: a line needs vectors by hand, since the compiler may not reorder what NaN makes order-dependent.
template <class T, bool kMax>
GN_INLINE T extreme(const T* p, int64_t n, T start) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  constexpr int U = 4;
  using Better = Extreme<kMax>;
  V acc[U];
  for (int u = 0; u < U; ++u) acc[u] = broadcast<T>(start);
  int64_t i = 0;
  for (; i + U * W <= n; i += U * W)
    for (int u = 0; u < U; ++u) acc[u] = Better::f(acc[u], load(p + i + u * W));
  for (; i + W <= n; i += W) acc[0] = Better::f(acc[0], load(p + i));
  acc[0] = Better::f(Better::f(acc[0], acc[1]), Better::f(acc[2], acc[3]));
  T best = across<T, Better>(acc[0]);
  for (; i < n; ++i) best = kMax ? FoldMax::f(best, p[i]) : FoldMin::f(best, p[i]);
  return best;
}

template <class T, bool kMax>
void extreme_line(const void* x, int64_t n, void* state) {
  T* s = static_cast<T*>(state);
  *s = extreme<T, kMax>(static_cast<const T*>(x), n, *s);
}

template <class T, bool kMax>
struct ExtremeOf {
  const T* x;
  int64_t stride, n;
  __attribute__((always_inline)) typename Vec<T>::V f(int64_t r) const {
    using V = typename Vec<T>::V;
    using Better = Extreme<kMax>;
    constexpr int W = Vec<T>::W;
    const T* p = x + r * stride;
    if (n < W) return first_lanes<T>(load_n(p, n), n, broadcast<T>(p[0]));
    V a0 = load(p), a1 = load(p + n - W);
    int64_t i = W;
    for (; i + 2 * W <= n; i += 2 * W) {
      a0 = Better::f(a0, load(p + i));
      a1 = Better::f(a1, load(p + i + W));
    }
    if (i + W <= n) a0 = Better::f(a0, load(p + i));
    return Better::f(a0, a1);
  }
};
template <class T, bool kMax>
bool extreme_lines(const void* x, int64_t n, int64_t stride, int64_t lines, void* out, int64_t out_stride, double) {
  if (n > kShort<T>) return false;
  fold_lines<T, Extreme<kMax>>(ExtremeOf<T, kMax>{static_cast<const T*>(x), stride, n}, lines, static_cast<T*>(out),
                               out_stride, 1);
  return true;
}

template <class T>
constexpr Fold kSum{2 * sizeof(double), sum_init<T>,   sum_line<T>, sum_rows<T>,
                    sum_merge<T>,       sum_finish<T>, sum_lines<T>};
template <class T, bool kMax>
constexpr Fold extreme_fold() {
  using Base = Simple<T, T, typename Choose<kMax, FoldMax, FoldMin>::type>;
  return Fold{sizeof(T),   Base::init,   extreme_line<T, kMax>, Base::rows,
              Base::merge, Base::finish, extreme_lines<T, kMax>};
}
template <class T, bool kMax>
constexpr Fold kExtreme = extreme_fold<T, kMax>();

// Two passes over a line that is in cache by the second: the value, then where it first is.
template <class T, bool kMax>
int64_t best_index(const void* x, int64_t n) {
  const T* p = static_cast<const T*>(x);
  T best = value_of(p[0]);
  if constexpr (static_cast<T>(0.5) != 0)
    best = extreme<T, kMax>(p, n, best);
  else
    for (int64_t i = 1; i < n; ++i) best = kMax ? FoldMax::f(best, value_of(p[i])) : FoldMin::f(best, value_of(p[i]));
  for (int64_t i = 0; i < n; ++i) {
    const T v = value_of(p[i]);
    if ((v == best) | (v != v)) return i;
  }
  return 0;
}

#define GN_REDUCE(name, f32, f64, i32, i64, b8)                                             \
  void name##_(const Call& call) {                                                          \
    static constexpr const Fold* folds[kNumDTypes] = {f32, f64, i32, i64, b8};              \
    run_reduce(call, folds[static_cast<int>(call.in[0].dtype)], reference::name##_, copy_); \
  }
GN_REDUCE(sum, &kSum<float>, &kSum<double>, (&Simple<int32_t, uint32_t, FoldAdd>::fold),
          (&Simple<int64_t, uint64_t, FoldAdd>::fold), nullptr)
GN_REDUCE(prod, (&Simple<float, float, FoldMul>::fold), (&Simple<double, double, FoldMul>::fold),
          (&Simple<int32_t, uint32_t, FoldMul>::fold), (&Simple<int64_t, uint64_t, FoldMul>::fold), nullptr)
GN_REDUCE(max, (&kExtreme<float, true>), (&kExtreme<double, true>), (&Simple<int32_t, int32_t, FoldMax>::fold),
          (&Simple<int64_t, int64_t, FoldMax>::fold), (&Simple<uint8_t, uint8_t, FoldOr>::fold))
GN_REDUCE(min, (&kExtreme<float, false>), (&kExtreme<double, false>), (&Simple<int32_t, int32_t, FoldMin>::fold),
          (&Simple<int64_t, int64_t, FoldMin>::fold), (&Simple<uint8_t, uint8_t, FoldAnd>::fold))
GN_REDUCE(any, nullptr, nullptr, nullptr, nullptr, (&Simple<uint8_t, uint8_t, FoldOr>::fold))
GN_REDUCE(all, nullptr, nullptr, nullptr, nullptr, (&Simple<uint8_t, uint8_t, FoldAnd>::fold))

#define GN_ARG_REDUCE(name, kMax)                                                                        \
  void name##_(const Call& call) {                                                                       \
    static constexpr BestIndex best[kNumDTypes] = {best_index<float, kMax>, best_index<double, kMax>,    \
                                                   best_index<int32_t, kMax>, best_index<int64_t, kMax>, \
                                                   best_index<uint8_t, kMax>};                           \
    run_arg_reduce(call, best[static_cast<int>(call.in[0].dtype)], reference::name##_);                  \
  }
GN_ARG_REDUCE(argmax, true)
GN_ARG_REDUCE(argmin, false)
