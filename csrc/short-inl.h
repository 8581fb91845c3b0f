// y = x W^T (+ bias, ReLU) for a few rows of x and short rows of W, which lie one after another: W's columns are put
// together in registers, 16 outputs at a time. Dot products of 10 elements would spend their time on adding up lanes
// (2 x 10 x 256: 940 ns, here 400).
#if GN_VECTOR_BYTES == 64

constexpr int64_t kShortRows = 8, kShortLeast = 4, kShortDepth = 32;

// Columns p to p + 3 of 16 rows of w.
GN_INLINE void short_columns(const float* w, int64_t rw, __m512* column) {
  __m512 z[4];
  for (int i = 0; i < 4; ++i) {
    const float* const row = w + i * rw;
    z[i] = _mm512_castps128_ps512(_mm_loadu_ps(row));
    z[i] = _mm512_insertf32x4(z[i], _mm_loadu_ps(row + 4 * rw), 1);
    z[i] = _mm512_insertf32x4(z[i], _mm_loadu_ps(row + 8 * rw), 2);
    z[i] = _mm512_insertf32x4(z[i], _mm_loadu_ps(row + 12 * rw), 3);
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

// True where it was such a product, and done. What overlaps at the ends is computed twice, with the same result.
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
  const float* const from = static_cast<const float*>(x.data);
  float* const to = static_cast<float*>(y.data);
  __m512 column[kShortDepth];
  for (int64_t start = 0; start < n; start += 16) {
    const int64_t j = min64(start, n - 16);
    const float* const rows = static_cast<const float*>(w.data) + j * w.stride[0];
    for (int64_t p = 0; p < k; p += 4) {
      const int64_t at = min64(p, k - 4);
      short_columns(rows + at, w.stride[0], column + at);
    }
    for (int64_t i = 0; i < m; ++i) {
      const float* const row = from + i * x.stride[0];
      __m512 sum = biased ? _mm512_loadu_ps(bias + j) : _mm512_setzero_ps();
      for (int64_t p = 0; p < k; ++p) sum = _mm512_fmadd_ps(_mm512_set1_ps(row[p]), column[p], sum);
      if (relu)
        sum = _mm512_mask_mov_ps(sum, _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_LE_OQ), _mm512_setzero_ps());
      _mm512_storeu_ps(to + i * y.stride[0] + j, sum);
    }
  }
  return true;
}

#endif
