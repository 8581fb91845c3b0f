// The small vector layer of the target files: one vector type per element type, written with the compilers' vector
// extensions, so that AVX2, AVX-512 and NEON differ in the width and in a few lines here.
//
// Included once per target file inside its namespace, after the target pragma; everything is in that namespace, so no
// other file can share an instantiation. Only compiler builtins and C library functions are called from here on:
// an inline function of the standard library, instantiated with AVX-512, could win at link time.
//
// a * b + c is fused (-ffp-contract=fast). With vector extensions `V{} + x` costs an add; broadcast<T>(x) does not.

#define GN_INLINE static inline __attribute__((always_inline))

template <class T>
struct Vec;

template <>
struct Vec<float> {
  typedef float V __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));
  typedef float U __attribute__((vector_size(GN_VECTOR_BYTES), may_alias, aligned(4)));
  typedef int32_t I __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));
  static constexpr int W = GN_VECTOR_BYTES / 4;
};

template <>
struct Vec<double> {
  typedef double V __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));
  typedef double U __attribute__((vector_size(GN_VECTOR_BYTES), may_alias, aligned(8)));
  typedef int64_t I __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));
  static constexpr int W = GN_VECTOR_BYTES / 8;
};

using VF = Vec<float>::V;
using VD = Vec<double>::V;

template <class To, class From>
GN_INLINE To bit_as(From x) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  __builtin_memcpy(&to, &x, sizeof to);
  return to;
}

template <class T>
GN_INLINE typename Vec<T>::V load(const T* p) {
  return *reinterpret_cast<const typename Vec<T>::U*>(p);
}

template <class T>
GN_INLINE void store(T* p, typename Vec<T>::V v) {
  *reinterpret_cast<typename Vec<T>::U*>(p) = v;
}

template <class T>
GN_INLINE typename Vec<T>::V broadcast(T x) {
  return x - typename Vec<T>::V{};
}

// The first n < W elements; the others are zero, and never touched in memory.
#if GN_VECTOR_BYTES == 64
GN_INLINE VF load_n(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
GN_INLINE VD load_n(const double* p, int64_t n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
GN_INLINE void store_n(float* p, VF v, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
GN_INLINE void store_n(double* p, VD v, int64_t n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#elif GN_VECTOR_BYTES == 32
alignas(32) static const int32_t kTail4[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
alignas(32) static const int64_t kTail8[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
GN_INLINE __m256i tail4(int64_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTail4 + 8 - n)); }
GN_INLINE __m256i tail8(int64_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTail8 + 4 - n)); }
GN_INLINE VF load_n(const float* p, int64_t n) { return _mm256_maskload_ps(p, tail4(n)); }
GN_INLINE VD load_n(const double* p, int64_t n) { return _mm256_maskload_pd(p, tail8(n)); }
GN_INLINE void store_n(float* p, VF v, int64_t n) { _mm256_maskstore_ps(p, tail4(n), v); }
GN_INLINE void store_n(double* p, VD v, int64_t n) { _mm256_maskstore_pd(p, tail8(n), v); }
#else
template <class T>
GN_INLINE typename Vec<T>::V load_n(const T* p, int64_t n) {
  typename Vec<T>::V v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
template <class T>
GN_INLINE void store_n(T* p, typename Vec<T>::V v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
#endif

// Stores past the caches, to a multiple of 16 bytes; a line is written in one go where v begins there.
#if defined(__SSE2__)
template <class V>
GN_INLINE void stream_quarters(void* p, V v, int64_t bytes) {
  alignas(GN_VECTOR_BYTES) char kept[sizeof(V)];
  __builtin_memcpy(kept, &v, sizeof v);
  for (int64_t i = 0; i < bytes; i += 16)
    _mm_stream_si128(reinterpret_cast<__m128i*>(static_cast<char*>(p) + i),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(kept + i)));
}
template <class T>
GN_INLINE void stream(T* p, typename Vec<T>::V v) {
  if (reinterpret_cast<uintptr_t>(p) % GN_VECTOR_BYTES != 0) return stream_quarters(p, v, GN_VECTOR_BYTES);
#if GN_VECTOR_BYTES == 64
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), bit_as<__m512i>(v));
#else
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), bit_as<__m256i>(v));
#endif
}
template <class T>
GN_INLINE void stream_n(T* p, typename Vec<T>::V v, int64_t n) {
  stream_quarters(p, v, n * static_cast<int64_t>(sizeof(T)));
}
#else
template <class T>
GN_INLINE void stream(T* p, typename Vec<T>::V v) {
  store(p, v);
}
template <class T>
GN_INLINE void stream_n(T* p, typename Vec<T>::V v, int64_t n) {
  store_n(p, v, n);
}
#endif

// The lanes turned by H, for trees over the lanes: a sum's rounding then does not grow with the width.
template <int H, class V>
GN_INLINE V turned(V v) {
  constexpr int W = static_cast<int>(sizeof(V) / sizeof(v[0]));
  if constexpr (W == 16)
    return __builtin_shufflevector(v, v, (0 + H) % W, (1 + H) % W, (2 + H) % W, (3 + H) % W, (4 + H) % W, (5 + H) % W,
                                   (6 + H) % W, (7 + H) % W, (8 + H) % W, (9 + H) % W, (10 + H) % W, (11 + H) % W,
                                   (12 + H) % W, (13 + H) % W, (14 + H) % W, (15 + H) % W);
  else if constexpr (W == 8)
    return __builtin_shufflevector(v, v, (0 + H) % W, (1 + H) % W, (2 + H) % W, (3 + H) % W, (4 + H) % W, (5 + H) % W,
                                   (6 + H) % W, (7 + H) % W);
  else if constexpr (W == 4)
    return __builtin_shufflevector(v, v, (0 + H) % W, (1 + H) % W, (2 + H) % W, (3 + H) % W);
  else
    return __builtin_shufflevector(v, v, (0 + H) % W, (1 + H) % W);
}

// A loop unrolled by the compiler's front end: GN_EACH(i, n) body GN_END, with i.value a constant.
template <int N>
struct Int {
  static constexpr int value = N;
};

template <int I, int N, class F>
GN_INLINE void each_from(F&& f) {
  if constexpr (I < N) {
    f(Int<I>{});
    each_from<I + 1, N>(f);
  }
}
template <int N, class F>
GN_INLINE void each(F&& f) {
  each_from<0, N>(f);
}
#define GN_EACH(i, n) each<n>([&](auto i) __attribute__((always_inline)) {
#define GN_END \
  })

// Exchange of the lanes whose index has bit H between two vectors, the step of a transposition:
// low: a's lanes without the bit, and b's moved up to those with it; high: the others.
#define GN_LOW(i) ((i) & H) ? W + (i) - H : (i)
#define GN_HIGH(i) ((i) & H) ? W + (i) : (i) + H
#define GN_LANES_2(f) f(0), f(1)
#define GN_LANES_4(f) GN_LANES_2(f), f(2), f(3)
#define GN_LANES_8(f) GN_LANES_4(f), f(4), f(5), f(6), f(7)
#define GN_LANES_16(f) GN_LANES_8(f), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#define GN_EXCHANGE(name, f)                                      \
  template <int H, class V>                                       \
  GN_INLINE V name(V a, V b) {                                    \
    constexpr int W = static_cast<int>(sizeof(V) / sizeof(a[0])); \
    if constexpr (W == 16)                                        \
      return __builtin_shufflevector(a, b, GN_LANES_16(f));       \
    else if constexpr (W == 8)                                    \
      return __builtin_shufflevector(a, b, GN_LANES_8(f));        \
    else if constexpr (W == 4)                                    \
      return __builtin_shufflevector(a, b, GN_LANES_4(f));        \
    else                                                          \
      return __builtin_shufflevector(a, b, GN_LANES_2(f));        \
  }
GN_EXCHANGE(exchange_low, GN_LOW)
GN_EXCHANGE(exchange_high, GN_HIGH)

// v[0..W) as the rows of a square matrix, transposed in place.
template <int H, class V>
GN_INLINE void transpose_step(V* v) {
  constexpr int W = static_cast<int>(sizeof(V) / sizeof(v[0][0]));
  if constexpr (H > 0) {
    for (int i = 0; i < W; ++i)
      if ((i & H) == 0) {
        const V low = exchange_low<H>(v[i], v[i + H]), high = exchange_high<H>(v[i], v[i + H]);
        v[i] = low;
        v[i + H] = high;
      }
    transpose_step<H / 2>(v);
  }
}
template <class V>
GN_INLINE void transpose(V* v) {
  transpose_step<static_cast<int>(sizeof(V) / sizeof(v[0][0])) / 2>(v);
}

struct Sum {
  template <class V>
  GN_INLINE V f(V a, V b) {
    return a + b;
  }
};

// F::f over the lanes of each of v[0..W), as the lanes of one vector. Destroys v.
template <class F, int H, class V>
GN_INLINE V lane_folds_step(V* v) {
  if constexpr (H > 0) {
    for (int i = 0; i < H; ++i) v[i] = F::f(exchange_low<H>(v[i], v[i + H]), exchange_high<H>(v[i], v[i + H]));
    return lane_folds_step<F, H / 2>(v);
  } else {
    return v[0];
  }
}
template <class F, class V>
GN_INLINE V lane_folds(V* v) {
  return lane_folds_step<F, static_cast<int>(sizeof(V) / sizeof(v[0][0])) / 2>(v);
}
template <class V>
GN_INLINE V lane_sums(V* v) {
  return lane_folds<Sum>(v);
}

// F::f over all lanes, as a tree. F is a struct, not a lambda: GCC compiles a template's lambdas without the pragma.
template <class T, class F>
GN_INLINE T across(typename Vec<T>::V v) {
  constexpr int W = Vec<T>::W;
  if constexpr (W >= 16) v = F::f(v, turned<8>(v));
  if constexpr (W >= 8) v = F::f(v, turned<4>(v));
  if constexpr (W >= 4) v = F::f(v, turned<2>(v));
  v = F::f(v, turned<1>(v));
  return v[0];
}

template <class T>
GN_INLINE T sum_across(typename Vec<T>::V v) {
  return across<T, Sum>(v);
}

// v in the first n lanes, `rest` in the others.
template <class T>
GN_INLINE typename Vec<T>::V first_lanes(typename Vec<T>::V v, int64_t n, typename Vec<T>::V rest) {
  using I = typename Vec<T>::I;
  I lane;
  for (int i = 0; i < Vec<T>::W; ++i) lane[i] = i;
  return lane < static_cast<decltype(lane[0] + 0)>(n) ? v : rest;
}

// out[r] = F over the lanes of of(r): W rows in one go where there are so many, as that takes half as long.
template <class T, class F, class Of>
GN_INLINE void fold_rows(T* out, int64_t rows, const Of& of) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  for (int64_t r = 0; r < rows; r += W) {
    const int64_t m = rows - r < W ? rows - r : W;
    if (2 * m < W) {
      for (int64_t i = r; i < r + m; ++i) out[i] = across<T, F>(of.f(i));
    } else {
      V v[W];
      for (int64_t i = 0; i < W; ++i) v[i] = i < m ? of.f(r + i) : V{};
      store_n(out + r, lane_folds<F>(v), m);
    }
  }
}

// Asks for rows that are read later, as far as the second cache.
template <class T>
GN_INLINE void fetch(const T* p, int64_t n) {
  for (int64_t i = 0; i < n; i += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(p + i, 0, 2);
}

// NaN in either operand stays: `a > b` is false for NaN in b too, hence the second test.
template <class V>
GN_INLINE V vmax(V a, V b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class V>
GN_INLINE V vmin(V a, V b) {
  return ((a < b) | (a != a)) ? a : b;
}

template <bool kFirst, class A, class B>
struct Choose {
  using type = A;
};
template <class A, class B>
struct Choose<false, A, B> {
  using type = B;
};

template <bool kMax>
struct Extreme {
  template <class V>
  GN_INLINE V f(V a, V b) {
    if constexpr (kMax)
      return vmax(a, b);
    else
      return vmin(a, b);
  }
};

// Keeps a loaded vector in a register: GCC folds a load into each of its uses, and loads are what binds then.
template <class V>
GN_INLINE void keep(V& v) {
#if defined(__x86_64__)
  asm("" : "+v"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
}

// Elements up to the next 64-byte boundary, when all rows `stride` elements apart have it at the same place; else 0.
// A 64-byte load across two cache lines takes two cycles.
template <class T>
GN_INLINE int64_t to_boundary(const T* p, int64_t stride) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(p) / sizeof(T)) & (kLine - 1);
  return past == 0 || stride % kLine != 0 ? 0 : kLine - past;
}

GN_INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
GN_INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
