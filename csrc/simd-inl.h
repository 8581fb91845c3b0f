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

struct Sum {
  template <class V>
  GN_INLINE V f(V a, V b) {
    return a + b;
  }
};
template <class T>
GN_INLINE T sum_across(typename Vec<T>::V v) {
  return across<T, Sum>(v);
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

GN_INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
GN_INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
