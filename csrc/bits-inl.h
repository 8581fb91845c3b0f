// What functions of whole vectors are made of: bit patterns, signs, powers of two, bounds.

using VI = Vec<float>::I;
using VL = Vec<double>::I;
// Bit patterns that may wrap.
typedef uint32_t VU __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));
typedef uint64_t VUL __attribute__((vector_size(GN_VECTOR_BYTES), may_alias));

// x within [low, high]; NaN stays. The instructions return their second operand where one is NaN.
#if GN_VECTOR_BYTES == 64
GN_INLINE VF clamp(VF x, float low, float high) {
  // The masked forms: GCC 12 warns about the plain intrinsics' own headers.
  return _mm512_maskz_min_ps(0xFFFF, broadcast(high), _mm512_maskz_max_ps(0xFFFF, broadcast(low), x));
}
GN_INLINE VD clamp(VD x, double low, double high) {
  return _mm512_maskz_min_pd(0xFF, broadcast(high), _mm512_maskz_max_pd(0xFF, broadcast(low), x));
}
#elif GN_VECTOR_BYTES == 32
GN_INLINE VF clamp(VF x, float low, float high) {
  return _mm256_min_ps(_mm256_set1_ps(high), _mm256_max_ps(_mm256_set1_ps(low), x));
}
GN_INLINE VD clamp(VD x, double low, double high) {
  return _mm256_min_pd(_mm256_set1_pd(high), _mm256_max_pd(_mm256_set1_pd(low), x));
}
#else
template <class V, class T>
GN_INLINE V clamp(V x, T low, T high) {
  x = x < low ? broadcast<T>(low) : x;
  return x > high ? broadcast<T>(high) : x;
}
#endif

// The larger; where one is NaN, either.
#if GN_VECTOR_BYTES == 64
GN_INLINE VF larger(VF a, VF b) { return _mm512_maskz_max_ps(0xFFFF, a, b); }
GN_INLINE VD larger(VD a, VD b) { return _mm512_maskz_max_pd(0xFF, a, b); }
#elif GN_VECTOR_BYTES == 32
GN_INLINE VF larger(VF a, VF b) { return _mm256_max_ps(a, b); }
GN_INLINE VD larger(VD a, VD b) { return _mm256_max_pd(a, b); }
#else
template <class V>
GN_INLINE V larger(V a, V b) {
  return a > b ? a : b;
}
#endif

GN_INLINE VF vabs(VF x) { return bit_as<VF>(bit_as<VI>(x) & 0x7FFFFFFF); }
GN_INLINE VD vabs(VD x) { return bit_as<VD>(bit_as<VL>(x) & 0x7FFFFFFFFFFFFFFF); }
// A non-negative x with s's sign.
GN_INLINE VF with_sign(VF x, VF s) { return bit_as<VF>(bit_as<VI>(x) | (bit_as<VI>(s) & (-0x7FFFFFFF - 1))); }
GN_INLINE VD with_sign(VD x, VD s) { return bit_as<VD>(bit_as<VL>(x) | (bit_as<VL>(s) & (-0x7FFFFFFFFFFFFFFF - 1))); }

// p * 2^n for |n| up to twice the exponent range, in two steps so that subnormal results round once.
GN_INLINE VF scale2(VF p, VI n) {
  const VI half = n >> 1;
  return p * bit_as<VF>(bit_as<VU>(half + 127) << 23) * bit_as<VF>(bit_as<VU>(n - half + 127) << 23);
}
GN_INLINE VD scale2(VD p, VL n) {
  const VL half = n >> 1;
  return p * bit_as<VD>(bit_as<VUL>(half + 1023) << 52) * bit_as<VD>(bit_as<VUL>(n - half + 1023) << 52);
}

// a * b + c, rounded once whatever else the product is used for.
GN_INLINE VD fused(VD a, VD b, VD c) {
#if GN_VECTOR_BYTES == 64
  return _mm512_fmadd_pd(a, b, c);
#elif GN_VECTOR_BYTES == 32
  return _mm256_fmadd_pd(a, b, c);
#else
  for (int i = 0; i < Vec<double>::W; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
  return c;
#endif
}
