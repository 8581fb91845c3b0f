// Inner loops of the elementwise kernels. Contract: n contiguous elements; out may be exactly an input's memory and
// overlaps none otherwise, which is what lets the loops be declared free of dependences (GN_IVDEP).
//
// Simple operations are plain loops that the compiler vectorises for the target; functions with a polynomial inside
// are written on whole vectors (math-inl.h). bool is stored as bytes that may hold any value: 0 is false.

#if defined(__clang__)
#define GN_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GN_IVDEP _Pragma("GCC ivdep")
#endif

template <class T>
struct Wrap {
  using type = T;
};
template <>
struct Wrap<int32_t> {
  using type = uint32_t;
};
template <>
struct Wrap<int64_t> {
  using type = uint64_t;
};
// Integers wrap: arithmetic in unsigned, where that is defined.
template <class T>
GN_INLINE typename Wrap<T>::type wrap(T x) {
  return static_cast<typename Wrap<T>::type>(x);
}

template <class T>
GN_INLINE T value_of(T x) {
  return x;
}
GN_INLINE uint8_t value_of(uint8_t x) { return x != 0; }

template <class T, class R, class Op>
void loop1(void* o, const void* const* in, const int64_t* step, int64_t n) {
  R* out = static_cast<R*>(o);
  const T* x = static_cast<const T*>(in[0]);
  if (step[0] != 0) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(Op::f(value_of(x[i])));
  } else {
    const R r = static_cast<R>(Op::f(value_of(*x)));
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = r;
  }
}

template <class T, class R, class Op>
void loop2(void* o, const void* const* in, const int64_t* step, int64_t n) {
  R* out = static_cast<R*>(o);
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  if (step[0] != 0 && step[1] != 0) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(Op::f(value_of(a[i]), value_of(b[i])));
  } else if (step[0] != 0) {
    const T y = value_of(*b);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(Op::f(value_of(a[i]), y));
  } else if (step[1] != 0) {
    const T x = value_of(*a);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(Op::f(x, value_of(b[i])));
  } else {
    const R r = static_cast<R>(Op::f(value_of(*a), value_of(*b)));
    GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = r;
  }
}

template <class T>
void loop_where(void* o, const void* const* in, const int64_t* step, int64_t n) {
  T* out = static_cast<T*>(o);
  const uint8_t* c = static_cast<const uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  const int64_t sc = step[0], sa = step[1], sb = step[2];
  if (sc && sa && sb) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T x = value_of(a[i]), y = value_of(b[i]);
      out[i] = c[i] != 0 ? x : y;
    }
  } else if (sc && sa) {
    const T y = value_of(*b);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T x = value_of(a[i]);
      out[i] = c[i] != 0 ? x : y;
    }
  } else if (sc && sb) {
    const T x = value_of(*a);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T y = value_of(b[i]);
      out[i] = c[i] != 0 ? x : y;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = value_of(c[i * sc] != 0 ? a[i * sa] : b[i * sb]);
  }
}

// A vector function over a line; tails go through partial loads.
template <class T, class Op>
void loop_vector(void* o, const void* const* in, const int64_t* step, int64_t n) {
  constexpr int W = Vec<T>::W;
  T* out = static_cast<T*>(o);
  const T* x = static_cast<const T*>(in[0]);
  int64_t i = 0;
  if (step[0] == 0) {
    const auto r = Op::f(broadcast<T>(*x));
    for (; i + W <= n; i += W) store(out + i, r);
    if (i < n) store_n(out + i, r, n - i);
    return;
  }
  for (; i + W <= n; i += W) store(out + i, Op::f(load(x + i)));
  if (i < n) store_n(out + i, Op::f(load_n(x + i, n - i)), n - i);
}

// As loop_vector, for a function that is good up to Op::bound(): blocks with anything beyond go to the C library.
template <class T, class Op>
void loop_bounded(void* o, const void* const* in, const int64_t* step, int64_t n) {
  constexpr int W = Vec<T>::W;
  constexpr int64_t kBlock = 512;
  T* out = static_cast<T*>(o);
  const T* x = static_cast<const T*>(in[0]);
  if (step[0] == 0) {
    const T r = Op::scalar(*x);
    for (int64_t i = 0; i < n; ++i) out[i] = r;
    return;
  }
  const typename Vec<T>::V bound = broadcast<T>(Op::template bound<T>());
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t end = min64(n, start + kBlock);
    typename Vec<T>::I beyond{};
    int64_t i = start;
    for (; i + W <= end; i += W) beyond |= ~(vabs(load(x + i)) <= bound);
    if (i < end) beyond |= ~(vabs(load_n(x + i, end - i)) <= bound);
    int64_t any = 0;
    for (int lane = 0; lane < W; ++lane) any |= beyond[lane];
    if (any != 0) {
      for (i = start; i < end; ++i) out[i] = Op::scalar(x[i]);
      continue;
    }
    for (i = start; i + W <= end; i += W) store(out + i, Op::f(load(x + i)));
    if (i < end) store_n(out + i, Op::f(load_n(x + i, end - i)), end - i);
  }
}

// A float32 function by way of float64's loop: exact but for the last rounding.
template <Loop kLoop>
void loop_widened(void* o, const void* const* in, const int64_t* step, int64_t n) {
  constexpr int64_t kBlock = 256;
  float* out = static_cast<float*>(o);
  const float* x = static_cast<const float*>(in[0]);
  alignas(64) double wide[kBlock];
  const void* const wide_in[1] = {wide};
  const int64_t one[1] = {1};
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t m = min64(kBlock, n - start);
    for (int64_t i = 0; i < m; ++i) wide[i] = static_cast<double>(x[(start + i) * step[0]]);
    kLoop(wide, wide_in, one, m);
    for (int64_t i = 0; i < m; ++i) out[start + i] = static_cast<float>(wide[i]);
  }
}

#define GN_OP(Name, params, expr) \
  struct Name {                   \
    template <class T>            \
    GN_INLINE auto f params {     \
      return expr;                \
    }                             \
  };

GN_OP(Add, (T a, T b), (static_cast<T>(wrap(a) + wrap(b))))
GN_OP(Or, (T a, T b), (static_cast<T>(a | b)))
GN_OP(Sub, (T a, T b), (static_cast<T>(wrap(a) - wrap(b))))
GN_OP(Mul, (T a, T b), (static_cast<T>(wrap(a) * wrap(b))))
GN_OP(Div, (T a, T b), (a / b))
GN_OP(Maximum, (T a, T b), ((a > b) | (a != a) ? a : b))
GN_OP(Minimum, (T a, T b), ((a < b) | (a != a) ? a : b))
GN_OP(Eq, (T a, T b), (a == b))
GN_OP(Ne, (T a, T b), (a != b))
GN_OP(Lt, (T a, T b), (a < b))
GN_OP(Le, (T a, T b), (a <= b))
GN_OP(Gt, (T a, T b), (a > b))
GN_OP(Ge, (T a, T b), (a >= b))
GN_OP(Neg, (T x), (static_cast<T>(-wrap(x))))
GN_OP(AbsInt, (T x), (x < 0 ? static_cast<T>(-wrap(x)) : x))
GN_OP(Sign, (T x), (x > 0 ? T(1) : x < 0 ? T(-1) : x))
GN_OP(Relu, (T x), (x <= 0 ? T(0) : x))
GN_OP(ReluBackward, (T g, T y), (y <= 0 ? T(0) : g))
GN_OP(Not, (T x), (x == 0))
GN_OP(IsNan, (T x), (x != x))
GN_OP(IsFinite, (T x), (x - x == 0))
struct Abs {
  GN_INLINE float f(float x) { return __builtin_fabsf(x); }
  GN_INLINE double f(double x) { return __builtin_fabs(x); }
};
struct Sqrt {
  GN_INLINE float f(float x) { return __builtin_sqrtf(x); }
  GN_INLINE double f(double x) { return __builtin_sqrt(x); }
};
struct Floor {
  GN_INLINE float f(float x) { return __builtin_floorf(x); }
  GN_INLINE double f(double x) { return __builtin_floor(x); }
};
struct Ceil {
  GN_INLINE float f(float x) { return __builtin_ceilf(x); }
  GN_INLINE double f(double x) { return __builtin_ceil(x); }
};
struct Exp {
  template <class V>
  GN_INLINE V f(V x) {
    return vexp(x);
  }
};
struct Log {
  template <class V>
  GN_INLINE V f(V x) {
    return vlog(x);
  }
};
struct Tanh {
  template <class V>
  GN_INLINE V f(V x) {
    return vtanh(x);
  }
};
struct Sigmoid {
  template <class V>
  GN_INLINE V f(V x) {
    return vsigmoid(x);
  }
};
template <bool kCos>
struct SinCos {
  template <class T>
  GN_INLINE T bound() {
    return sizeof(T) == 4 ? static_cast<T>(kTurns) : static_cast<T>(kTurns64);
  }
  template <class V>
  GN_INLINE V f(V x) {
    return vsin_cos<kCos>(x);
  }
  GN_INLINE float scalar(float x) { return kCos ? __builtin_cosf(x) : __builtin_sinf(x); }
  GN_INLINE double scalar(double x) { return kCos ? __builtin_cos(x) : __builtin_sin(x); }
};
struct Tan {
  template <class T>
  GN_INLINE T bound() {
    return kTurns64;
  }
  GN_INLINE VD f(VD x) { return vtan(x); }
  GN_INLINE double scalar(double x) { return __builtin_tan(x); }
};
struct Erf {
  template <class V>
  GN_INLINE V f(V x) {
    return verf(x);
  }
};

GN_INLINE double power(double x, double y) { return __builtin_pow(x, y); }
GN_INLINE float power(float x, float y) { return __builtin_powf(x, y); }
// Squares are what pow is mostly asked for. Special values are the C library's.
template <class T>
void loop_pow(void* o, const void* const* in, const int64_t* step, int64_t n) {
  constexpr int W = Vec<double>::W;
  T* out = static_cast<T*>(o);
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  const int64_t sa = step[0], sb = step[1];
  if (sb == 0 && *b == T(2)) {
    if (sa != 0) {
      GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = a[i] * a[i];
    } else {
      const T r = *a * *a;
      GN_IVDEP for (int64_t i = 0; i < n; ++i) out[i] = r;
    }
    return;
  }
  const bool direct = (sa | sb) <= 1 && sa >= 0 && sb >= 0;
  for (int64_t i = 0; i < n; i += W) {
    const int64_t m = min64(W, n - i);
    VD x = broadcast(1.0), y = broadcast(1.0);
    if (direct && m == W) {
      x = sa != 0 ? load_wide(a + i) : broadcast(static_cast<double>(*a));
      y = sb != 0 ? load_wide(b + i) : broadcast(static_cast<double>(*b));
    } else {
      for (int64_t j = 0; j < m; ++j) {
        x[j] = static_cast<double>(a[(i + j) * sa]);
        y[j] = static_cast<double>(b[(i + j) * sb]);
      }
    }
    VL special;
    const VD r = vpow<sizeof(T) == 8>(x, y, special);
    if constexpr (W >= 8) special |= turned<4>(special);
    if constexpr (W >= 4) special |= turned<2>(special);
    special |= turned<1>(special);
    if (special[0] != 0) {
      for (int64_t j = 0; j < m; ++j) out[i + j] = power(static_cast<T>(x[j]), static_cast<T>(y[j]));
    } else if (m == W) {
      store_wide(out + i, r);
    } else {
      for (int64_t j = 0; j < m; ++j) out[i + j] = static_cast<T>(r[j]);
    }
  }
}

template <class From, class To>
struct Convert {
  GN_INLINE To f(From x) {
    if constexpr (static_cast<From>(0.5) != 0 && static_cast<To>(0.5) == 0 && sizeof(To) > 1) {
      // Out of range gives the lowest integer; the comparison is false for NaN.
      constexpr To low = static_cast<To>(To(1) << (sizeof(To) * 8 - 1));
      constexpr From bound = static_cast<From>(low);
      const bool inside = (x >= bound) & (x < -bound);
      return inside ? static_cast<To>(inside ? x : From(0)) : low;
    } else if constexpr (sizeof(To) == 1) {
      return x != 0;
    } else {
      return static_cast<To>(x);
    }
  }
};

// One loop per dtype (float32, float64, int32, int64, bool); nullptr sends that dtype to the reference.
#define GN_KERNEL(name, cost, f32, f64, i32, i64, b8)                                                         \
  constexpr Loop name##_loops[kNumDTypes] = {f32, f64, i32, i64, b8};                                         \
  constexpr int name##_cost = cost;                                                                           \
  void name##_(const Call& call) {                                                                            \
    run_elementwise(call, name##_loops[static_cast<int>(call.in[0].dtype)], reference::name##_, name##_cost); \
  }
#define GN_BINARY_NUMBER(name, Op)                                                                          \
  GN_KERNEL(name, 1, (loop2<float, float, Op>), (loop2<double, double, Op>), (loop2<int32_t, int32_t, Op>), \
            (loop2<int64_t, int64_t, Op>), nullptr)
#define GN_BINARY(name, Op, BoolOp)                                                                         \
  GN_KERNEL(name, 1, (loop2<float, float, Op>), (loop2<double, double, Op>), (loop2<int32_t, int32_t, Op>), \
            (loop2<int64_t, int64_t, Op>), (loop2<uint8_t, uint8_t, BoolOp>))
#define GN_COMPARE(name, Op)                                                                                   \
  GN_KERNEL(name, 1, (loop2<float, uint8_t, Op>), (loop2<double, uint8_t, Op>), (loop2<int32_t, uint8_t, Op>), \
            (loop2<int64_t, uint8_t, Op>), (loop2<uint8_t, uint8_t, Op>))
#define GN_UNARY_NUMBER(name, FloatOp, Op)                                                                            \
  GN_KERNEL(name, 1, (loop1<float, float, FloatOp>), (loop1<double, double, FloatOp>), (loop1<int32_t, int32_t, Op>), \
            (loop1<int64_t, int64_t, Op>), nullptr)
#define GN_UNARY_FLOAT(name, Op) \
  GN_KERNEL(name, 1, (loop1<float, float, Op>), (loop1<double, double, Op>), nullptr, nullptr, nullptr)
#define GN_PREDICATE(name, Op) \
  GN_KERNEL(name, 1, (loop1<float, uint8_t, Op>), (loop1<double, uint8_t, Op>), nullptr, nullptr, nullptr)

GN_BINARY(add, Add, Or)
GN_BINARY_NUMBER(sub, Sub)
GN_BINARY(mul, Mul, Mul)
GN_KERNEL(div, 2, (loop2<float, float, Div>), (loop2<double, double, Div>), nullptr, nullptr, nullptr)
GN_BINARY(maximum, Maximum, Maximum)
GN_BINARY(minimum, Minimum, Minimum)
GN_KERNEL(pow, 16, loop_pow<float>, loop_pow<double>, nullptr, nullptr, nullptr)
GN_COMPARE(eq, Eq)
GN_COMPARE(ne, Ne)
GN_COMPARE(lt, Lt)
GN_COMPARE(le, Le)
GN_COMPARE(gt, Gt)
GN_COMPARE(ge, Ge)
GN_UNARY_NUMBER(neg, Neg, Neg)
GN_UNARY_NUMBER(abs, Abs, AbsInt)
GN_UNARY_NUMBER(sign, Sign, Sign)
GN_UNARY_FLOAT(sqrt, Sqrt)
GN_UNARY_FLOAT(floor, Floor)
GN_UNARY_FLOAT(ceil, Ceil)
GN_UNARY_NUMBER(relu, Relu, Relu)
GN_BINARY_NUMBER(relu_backward, ReluBackward)
GN_PREDICATE(isnan, IsNan)
GN_PREDICATE(isfinite, IsFinite)
GN_KERNEL(logical_not, 1, nullptr, nullptr, nullptr, nullptr, (loop1<uint8_t, uint8_t, Not>))
GN_KERNEL(exp, 6, (loop_vector<float, Exp>), (loop_vector<double, Exp>), nullptr, nullptr, nullptr)
GN_KERNEL(log, 6, (loop_vector<float, Log>), (loop_vector<double, Log>), nullptr, nullptr, nullptr)
GN_KERNEL(tanh, 8, (loop_vector<float, Tanh>), (loop_vector<double, Tanh>), nullptr, nullptr, nullptr)
GN_KERNEL(sigmoid, 8, (loop_vector<float, Sigmoid>), (loop_vector<double, Sigmoid>), nullptr, nullptr, nullptr)
GN_KERNEL(sin, 8, (loop_bounded<float, SinCos<false>>), (loop_bounded<double, SinCos<false>>), nullptr, nullptr,
          nullptr)
GN_KERNEL(cos, 8, (loop_bounded<float, SinCos<true>>), (loop_bounded<double, SinCos<true>>), nullptr, nullptr, nullptr)
GN_KERNEL(tan, 16, (loop_widened<loop_bounded<double, Tan>>), (loop_bounded<double, Tan>), nullptr, nullptr, nullptr)
GN_KERNEL(erf, 8, (loop_vector<float, Erf>), (loop_vector<double, Erf>), nullptr, nullptr, nullptr)

constexpr Loop where_loops[kNumDTypes] = {loop_where<float>, loop_where<double>, loop_where<int32_t>,
                                          loop_where<int64_t>, loop_where<uint8_t>};
constexpr int where_cost = 1;
void where_(const Call& call) {
  run_elementwise(call, where_loops[static_cast<int>(call.out[0].dtype)], reference::where_, where_cost);
}

#define GN_FROM(From)                                                                             \
  loop1<From, float, Convert<From, float>>, loop1<From, double, Convert<From, double>>,           \
      loop1<From, int32_t, Convert<From, int32_t>>, loop1<From, int64_t, Convert<From, int64_t>>, \
      loop1<From, uint8_t, Convert<From, uint8_t>>
constexpr Loop copy_loops[kNumDTypes * kNumDTypes] = {GN_FROM(float), GN_FROM(double), GN_FROM(int32_t),
                                                      GN_FROM(int64_t), GN_FROM(uint8_t)};
constexpr int copy_cost = 1;
void copy_(const Call& call) {
  const int pair = static_cast<int>(call.in[0].dtype) * kNumDTypes + static_cast<int>(call.out[0].dtype);
  run_elementwise(call, copy_loops[pair], reference::copy_, copy_cost);
}
