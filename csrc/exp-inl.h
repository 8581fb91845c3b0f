// exp on whole vectors, within 1.1 ulp. Beyond the bounds that clamp gives, exp is 0 or inf whatever x; NaN stays.
//
// AVX-512 has 2^(k/16) in a register: x = n ln 2 + r with n a multiple of 1/16, exp(x) = 2^floor(n) (T + T r q(r)), and
// floor(n) is vscalef's own. That is 7 multiply-adds for 16 elements rather than 10, which is what binds. q: minimax.
// Elsewhere: Cephes (S. Moshier).

#if GN_VECTOR_BYTES == 64
// What must be subtracted from x first is taken as an argument: it costs nothing there.
struct Reduced {
  VF shifted, n, r;
};
GN_INLINE Reduced reduced(VF x) {
  const float magic = 786432.0f;  // 1.5 * 2^19: adding it rounds to sixteenths, kept in the low bits
  Reduced to;
  to.shifted = x * 1.44269504088896341f + magic;
  to.n = to.shifted - magic;
  to.r = x - to.n * 0.693147182464599609375f;
  return to;
}
GN_INLINE VF sixteenths(VF shifted) {
  const VF table = {0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f, 0x1.306fe0p+0f, 0x1.3dea64p+0f,
                    0x1.4bfdaep+0f, 0x1.5ab07ep+0f, 0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
                    0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};
  return _mm512_maskz_permutexvar_ps(0xFFFF, _mm512_castps_si512(shifted), table);
}
// t exp(r) for |r| <= ln 2 / 32
GN_INLINE VF times_exp(VF t, VF r) {
  VF q = r * 0.16667220694435801006f + 0.50001622819372560093f;
  q = q * r + 1.0f;
  return t * r * q + t;
}
GN_INLINE VF exp_within(VF x) {
  const Reduced at = reduced(x);
  const VF r = at.r - at.n * -1.904654323148236017e-9f;
  return _mm512_maskz_scalef_ps(0xFFFF, times_exp(sixteenths(at.shifted), r), at.n);
}
GN_INLINE VF exp_down(VF x) { return exp_within(_mm512_maskz_max_ps(0xFFFF, broadcast(-104.0f), x)); }
// exp(x) for x <= 0 as a summand beside a 1: those below 1e-38 may be that, and an error of 3e-9 |x| is nothing where
// exp(x) is small.
GN_INLINE VF exp_summand(VF x) {
  const Reduced at = reduced(_mm512_maskz_max_ps(0xFFFF, broadcast(-87.0f), x));
  // 2^(k/16) 2^floor(n) by adding n to the exponent: k, which comes along, is subtracted in the table.
  const VU table = {
      0x3F800000u - 0x00000000u, 0x3F85AAC3u - 0x00080000u, 0x3F8B95C2u - 0x00100000u, 0x3F91C3D3u - 0x00180000u,
      0x3F9837F0u - 0x00200000u, 0x3F9EF532u - 0x00280000u, 0x3FA5FED7u - 0x00300000u, 0x3FAD583Fu - 0x00380000u,
      0x3FB504F3u - 0x00400000u, 0x3FBD08A4u - 0x00480000u, 0x3FC5672Au - 0x00500000u, 0x3FCE248Cu - 0x00580000u,
      0x3FD744FDu - 0x00600000u, 0x3FE0CCDFu - 0x00680000u, 0x3FEAC0C7u - 0x00700000u, 0x3FF5257Du - 0x00780000u};
  const VU k = bit_as<VU>(at.shifted);
  const VU t = bit_as<VU>(_mm512_maskz_permutexvar_epi32(0xFFFF, bit_as<__m512i>(k), bit_as<__m512i>(table)));
  return times_exp(bit_as<VF>(t + (k << 19)), at.r);
}
#else
GN_INLINE VF exp_within(VF x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  const VF shifted = x * 1.44269504088896341f + magic;
  const VF n = shifted - magic;
  VF r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  VF p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return scale2(p, bit_as<VI>(shifted) - 0x4B400000);
}
#endif
GN_INLINE VF vexp(VF x) { return exp_within(clamp(x, -104.0f, 89.0f)); }

GN_INLINE VD vexp(VD x) {
  x = clamp(x, -746.0, 710.0);
#if GN_VECTOR_BYTES == 64
  const double magic = 422212465065984.0;  // 1.5 * 2^48
  const VD shifted = x * 1.4426950408889634074 + magic;
  const VD n = shifted - magic;
  VD r = x - n * 6.93145751953125e-1;
  r = r - n * 1.42860682030941723212e-6;
  const VD low = {0x1p+0,
                  0x1.0b5586cf9890fp+0,
                  0x1.172b83c7d517bp+0,
                  0x1.2387a6e756238p+0,
                  0x1.306fe0a31b715p+0,
                  0x1.3dea64c123422p+0,
                  0x1.4bfdad5362a27p+0,
                  0x1.5ab07dd485429p+0},
           high = {0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
                   0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
  const VD t = _mm512_permutex2var_pd(low, _mm512_castpd_si512(shifted), high);
  VD q = r * 0.0013889134103742428918 + 0.0083334962804343314998;
  q = q * r + 0.041666666659158724421;
  q = q * r + 0.16666666662843251318;
  q = q * r + 0.50000000000000068054;
  q = q * r + 1.0000000000000022428;
  return _mm512_maskz_scalef_pd(0xFF, t * r * q + t, n);
#else
  const double magic = 6755399441055744.0;  // 1.5 * 2^52
  const VD shifted = x * 1.4426950408889634074 + magic;
  const VD n = shifted - magic;
  VD r = x - n * 6.93145751953125e-1;
  r = r - n * 1.42860682030941723212e-6;
  // exp(r) = 1 + 2r P(r^2) / (Q(r^2) - r P(r^2))
  const VD z = r * r;
  VD p = z * 1.26177193074810590878e-4 + 3.02994407707441961300e-2;
  p = (p * z + 9.99999999999999999910e-1) * r;
  VD q = z * 3.00198505138664455042e-6 + 2.52448340349684104192e-3;
  q = q * z + 2.27265548208155028766e-1;
  q = q * z + 2.00000000000000000009e0;
  const VD e = p / (q - p) * 2.0 + 1.0;
  return scale2(e, bit_as<VL>(shifted) - 0x4338000000000000);
#endif
}

// exp(x) and what its last rounding lost, where that is known.
#if GN_VECTOR_BYTES == 64
GN_INLINE VF exp_parts(VF x, VF& lost) {
  x = clamp(x, -104.0f, 89.0f);
  const Reduced at = reduced(x);
  const VF r = at.r - at.n * -1.904654323148236017e-9f;
  const VF t = sixteenths(at.shifted);
  VF q = r * 0.16667220694435801006f + 0.50001622819372560093f;
  q = (q * r + 1.0f) * r;
  const VF tq = t * q, e = t + tq;
  lost = _mm512_maskz_scalef_ps(0xFFFF, tq - (e - t), at.n);
  return _mm512_maskz_scalef_ps(0xFFFF, e, at.n);
}
#else
GN_INLINE VF exp_parts(VF x, VF& lost) {
  lost = VF{};
  return vexp(x);
}
#endif
GN_INLINE VD exp_parts(VD x, VD& lost) {
  lost = VD{};
  return vexp(x);
}

// exp(x) for x <= 0 and for NaN; exp_summand: as a summand beside a 1.
#if GN_VECTOR_BYTES == 32
GN_INLINE VF exp_down(VF x) { return exp_within(_mm256_max_ps(_mm256_set1_ps(-104.0f), x)); }
#elif GN_VECTOR_BYTES != 64
GN_INLINE VF exp_down(VF x) { return vexp(x); }
#endif
GN_INLINE VD exp_down(VD x) { return vexp(x); }
#if GN_VECTOR_BYTES != 64
GN_INLINE VF exp_summand(VF x) { return exp_down(x); }
#endif
GN_INLINE VD exp_summand(VD x) { return vexp(x); }
