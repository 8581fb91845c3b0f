// y = x W^T (+ bias, ReLU) for a few rows of x and short rows of W, which lie one after another: W's columns are put
// together in registers, 16 outputs at a time. Dot products of 10 elements would spend their time on adding up lanes
// (2 x 10 x 256: 940 ns, here 290).
#if GN_VECTOR_BYTES == 64

constexpr int64_t kShortRows = 8, kShortLeast = 4, kShortDepth = 32;

// Columns p to p + 3 of 16 rows of w.
GN_INLINE void short_columns(const float* w, int64_t rw, __m512* column) {
  asm("" : "+r"(w));  // or GCC keeps 16 addresses, more than there are registers
  __m512 z[4];
  for (int i = 0; i < 4; ++i) {
    const float* const row = w + i * rw;
    z[i] = _mm512_castps128_ps512(_mm_loadu_ps(row));
    z[i] = _mm512_mask_broadcast_f32x4(z[i], 0x00f0, _mm_loadu_ps(row + 4 * rw));
    z[i] = _mm512_mask_broadcast_f32x4(z[i], 0x0f00, _mm_loadu_ps(row + 8 * rw));
    z[i] = _mm512_mask_broadcast_f32x4(z[i], 0xf000, _mm_loadu_ps(row + 12 * rw));
  }
  // As unpacklo, unpackhi and shuffle, whose intrinsics GCC 12 takes to read an undefined value.
#define GN_LANES(x, y, i, j, k, l)                                                                                  \
  __builtin_shufflevector(x, y, i, j, k, l, i + 4, j + 4, k + 4, l + 4, i + 8, j + 8, k + 8, l + 8, i + 12, j + 12, \
                          k + 12, l + 12)
  const __m512 a = GN_LANES(z[0], z[1], 0, 16, 1, 17), b = GN_LANES(z[0], z[1], 2, 18, 3, 19),
               c = GN_LANES(z[2], z[3], 0, 16, 1, 17), d = GN_LANES(z[2], z[3], 2, 18, 3, 19);
  column[0] = GN_LANES(a, c, 0, 1, 16, 17);
  column[1] = GN_LANES(a, c, 2, 3, 18, 19);
  column[2] = GN_LANES(b, d, 0, 1, 16, 17);
  column[3] = GN_LANES(b, d, 2, 3, 18, 19);
#undef GN_LANES
}

// M rows of x, a vector of outputs at a time. What overlaps at the ends is computed twice, with the same result.
template <int M>
void short_rows(const float* x, int64_t rx, const float* w, int64_t rw, const float* bias, bool relu, float* y,
                int64_t ry, int64_t k, int64_t n) {
  for (int64_t start = 0; start < n; start += 16) {
    const int64_t j = min64(start, n - 16);
    const float* const rows = w + j * rw;
    const __m512 first = bias != nullptr ? _mm512_loadu_ps(bias + j) : _mm512_setzero_ps();
    __m512 sum[M], column[4];
    GN_EACH(i, M)
      sum[i.value] = first;
    GN_END;
    const auto add = [&](int64_t p, auto from) __attribute__((always_inline)) {
      short_columns(rows + p, rw, column);
      GN_EACH(q, 4 - decltype(from)::value)
        constexpr int kColumn = decltype(from)::value + decltype(q)::value;
        GN_EACH(i, M)
          sum[i.value] = _mm512_fmadd_ps(_mm512_set1_ps(x[i.value * rx + p + kColumn]), column[kColumn], sum[i.value]);
        GN_END;
      GN_END;
    };
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) add(p, Int<0>{});
    if (k - p == 1) add(k - 4, Int<3>{});
    if (k - p == 2) add(k - 4, Int<2>{});
    if (k - p == 3) add(k - 4, Int<1>{});
    GN_EACH(i, M)
      __m512 v = sum[i.value];
      if (relu) v = _mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LE_OQ), _mm512_setzero_ps());
      _mm512_storeu_ps(y + i.value * ry + j, v);
    GN_END;
  }
}

// True where it was such a product, and done.
GN_INLINE bool short_linear(const Call& call) {
  const View &x = call.in[0], &w = call.in[1], &y = call.out[0];
  if (x.dtype != DType::f32 || x.rank != 2) return false;
  const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
  if (m < 1 || m > kShortRows || k < kShortLeast || k > kShortDepth || n < 16 || x.stride[1] != 1 || w.stride[1] != 1 ||
      y.stride[1] != 1)
    return false;
  const bool biased = call.nin > 2, relu = call.nparams > 0 && call.params[0] != 0;
  if (biased && (call.in[2].rank != 1 || call.in[2].stride[0] != 1)) return false;
  const float* const bias = biased ? static_cast<const float*>(call.in[2].data) : nullptr;
  using Rows =
      void (*)(const float*, int64_t, const float*, int64_t, const float*, bool, float*, int64_t, int64_t, int64_t);
  static constexpr Rows kTable[kShortRows] = {short_rows<1>, short_rows<2>, short_rows<3>, short_rows<4>,
                                              short_rows<5>, short_rows<6>, short_rows<7>, short_rows<8>};
  kTable[m - 1](static_cast<const float*>(x.data), x.stride[0], static_cast<const float*>(w.data), w.stride[0], bias,
                relu, static_cast<float*>(y.data), y.stride[0], k, n);
  return true;
}

#endif
