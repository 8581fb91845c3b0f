// exp, log, tanh, sigmoid, erf, sin and cos on whole vectors, branch-free, correct for subnormals, infinities and NaN.
// Errors against the exact value, measured over a dense sweep by tests/kernels: see there; the contract is 2 ulp.
// Coefficients: Cephes (S. Moshier) for exp, tanh and float32 log; fdlibm for float64 log; N. Juffa's for erf.

GN_INLINE VF vlog(VF x) {
  const VI tiny = x < 1.17549435e-38f;
  const VF scaled = tiny ? x * 8388608.0f : x;
  // Mantissa into [sqrt(1/2), sqrt(2)).
  const VI shifted = bit_as<VI>(bit_as<VU>(scaled) - 0x3F3504F3u);
  VF e = __builtin_convertvector(shifted >> 23, VF);
  e = tiny ? e - 23.0f : e;
  const VF f = bit_as<VF>((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
  const VF z = f * f;
  VF p = f * 7.0376836292e-2f + -1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f + -1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f + -1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f + -2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  VF y = p * f * z;
  y = e * -2.12194440e-4f + y;
  y = z * -0.5f + y;
  VF r = f + y;
  r = e * 0.693359375f + r;
  r = x == 0.0f ? broadcast<float>(-__builtin_inff()) : r;
  r = x < 0.0f ? broadcast<float>(__builtin_nanf("")) : r;
  return ((x == __builtin_inff()) | (x != x)) ? x : r;
}

GN_INLINE VD vlog(VD x) {
  const VL tiny = x < 2.2250738585072014e-308;
  const VD scaled = tiny ? x * 18014398509481984.0 : x;  // 2^54
  const VL shifted = bit_as<VL>(bit_as<VUL>(scaled) - 0x3FE6A09E667F3BCDu);
  // The exponent as a double, through the low bits of 1.5 * 2^52: AVX2 has no conversion from int64.
  const double magic = 6755399441055744.0;
  const VL high = shifted >> 52;
  VD e = bit_as<VD>(high + 0x4338000000000000) - magic;
  e = tiny ? e - 54.0 : e;
  const VD f = bit_as<VD>((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD) - 1.0;
  const VD s = f / (f + 2.0);
  const VD z = s * s, w = z * z;
  VD even = w * 1.531383769920937332e-01 + 2.222219843214978396e-01;
  even = (even * w + 3.999999999940941908e-01) * w;
  VD odd = w * 1.479819860511658591e-01 + 1.818357216161805012e-01;
  odd = odd * w + 2.857142874366239149e-01;
  odd = (odd * w + 6.666666666666735130e-01) * z;
  const VD half = f * f * 0.5;
  VD r = s * (half + (odd + even)) + e * 1.90821492927058770002e-10;
  r = e * 6.93147180369123816490e-01 - ((half - r) - f);
  r = x == 0.0 ? broadcast<double>(-__builtin_inf()) : r;
  r = x < 0.0 ? broadcast<double>(__builtin_nan("")) : r;
  return ((x == __builtin_inf()) | (x != x)) ? x : r;
}

GN_INLINE VD vtanh(VD x) {
  const VD a = vabs(x);
  const VD z = x * x;
  VD p = z * -9.64399179425052238628e-1 - 9.92877231001918586564e1;
  p = p * z - 1.61468768441708447952e3;
  VD q = z + 1.12811678491632931402e2;
  q = q * z + 2.23548839060100448583e3;
  q = q * z + 4.84406305325125486048e3;
  // z may be infinite where `small` is not chosen.
  const VD small = x + x * (z * (p / q));
  const VD t = 1.0 - 2.0 / (vexp(a + a) + 1.0);
  const VD big = with_sign(t, x);
  return a < 0.625 ? small : (x != x ? x : big);
}

GN_INLINE VF vtanh(VF x) {
  const VF a = vabs(x);
  const VF z = x * x;
  VF p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z + -5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z + -3.33332819422e-1f;
  const VF small = p * z * x + x;
  const VF t = 1.0f - 2.0f / (vexp(a + a) + 1.0f);
  const VF big = with_sign(t, x);
  return a < 0.625f ? small : big;
}

// 1 / (1 + e) or e / (1 + e) with e = exp(-|x|), the rounding of 1 + e and of the quotient corrected: the plain formula
// is 2.6 ulp off.
template <class T>
GN_INLINE typename Vec<T>::V vsigmoid_of(typename Vec<T>::V x) {
  using V = typename Vec<T>::V;
  V low;
  const V e = exp_parts(-vabs(x), low);
  const V s = e + T(1);
  const V lost = (e - (s - T(1))) + low;
  const V top = x < T(0) ? e : broadcast<T>(T(1));
  const V inverse = T(1) / s;
  const V q = top * inverse;
  const V rest = ((top - q * s) + (x < T(0) ? low : V{})) - q * lost;
  return q + rest * inverse;
}
GN_INLINE VF vsigmoid(VF x) { return vsigmoid_of<float>(x); }
GN_INLINE VD vsigmoid(VD x) { return vsigmoid_of<double>(x); }

GN_INLINE VF verf(VF x) {
  const VF t = vabs(x);
  const VF s = x * x;
  VF r = t * -1.72853470e-5f + 3.83197126e-4f;
  const VF u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t + -1.06777877e-1f;
  r = r * t + -6.34846687e-1f;
  r = r * t + -1.28717512e-1f;
  r = r * t - t;
  // From 4 on erf is 1 in float32; the polynomial is only meant for |x| below that.
  r = t > 4.0f ? broadcast<float>(-100.0f) : r;
  const VF big = with_sign(1.0f - vexp(r), x);
  VF p = s * -5.96761703e-4f + 4.99119423e-3f;
  p = p * s + -2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s + -3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  const VF small = p * x + x;
  return x != x ? x : (t > 0.927734375f ? big : small);
}

// sin and cos for |x| up to kTurns: the quarter turn nearest to x is taken off in three parts, whose products with a
// multiply-add are exact where they cancel. Polynomials: Cephes.
constexpr float kTurns = 30000.0f;
template <bool kCos>
GN_INLINE VF vsin_cos(VF x) {
  const float magic = 12582912.0f;
  const VF shifted = x * 0.636619772367581343f + magic;
  const VF n = shifted - magic;
  VF r = x - n * 1.57079637f;
  r = r - n * -4.37113883e-8f;
  r = r - n * -1.71512449e-15f;
  const VF z = r * r;
  VF s = z * -1.9515295891e-4f + 8.3321608736e-3f;
  s = s * z + -1.6666654611e-1f;
  s = s * (z * r) + r;
  VF c = z * 2.443315711809948e-5f + -1.388731625493765e-3f;
  c = c * z + 4.166664568298827e-2f;
  c = c * (z * z) + (z * -0.5f + 1.0f);
  const VI quarter = bit_as<VI>(shifted) + (kCos ? 1 : 0);
  const VF y = (quarter & 1) != 0 ? c : s;
  const VF turned_y = (quarter & 2) != 0 ? -y : y;
  if constexpr (kCos) return turned_y;
  return vabs(x) < 2.4e-4f ? x : turned_y;  // -0 and subnormals as they are
}
