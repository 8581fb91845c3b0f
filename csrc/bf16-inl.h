// float32 products with bfloat16 inputs and float32 sums, for set_matmul_precision("medium"). Contract: product.h.
// Subnormal inputs and products count as zero, as the instruction (vdpbf16ps) has it.
//
// Both operands are packed in pairs of k, [k / 2][rows or columns][2]: one 32-bit broadcast of a meets one vector of b.

constexpr int kPairRows = 8, kPairCols = 3;

// Conversions by vector extension: GCC 12 warns about the intrinsics' own headers.
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint32_t Words __attribute__((vector_size(64)));
GN_INLINE Words widened(VF x) {
  const __m256bh half = _mm512_cvtneps_pbh(x);
  Halves h;
  __builtin_memcpy(&h, &half, sizeof h);
  return __builtin_convertvector(h, Words);
}
GN_INLINE __m512i pair_up(VF even, VF odd) { return (__m512i)(widened(even) | (widened(odd) << 16)); }

// from[k][width] float32 -> to[(k + 1) / 2][width] pairs; width a multiple of the vector.
inline void pair_rows(int32_t* to, const float* from, int64_t width, int64_t k) {
  constexpr int W = Vec<float>::W;
  for (int64_t p = 0; p < k; p += 2)
    for (int64_t j = 0; j < width; j += W) {
      const VF odd = p + 1 < k ? load(from + (p + 1) * width + j) : VF{};
      _mm512_storeu_si512(to + p / 2 * width + j, pair_up(load(from + p * width + j), odd));
    }
}

template <int R, int C>
void pair_tile(int64_t pairs, const int32_t* a, int64_t ra, const int32_t* b, float* c, int64_t rc, int64_t n,
               bool accumulate, const float* bias, bool relu) {
  constexpr int W = Vec<float>::W;
  VF acc[R][C];
  GN_EACH(r, R)
    GN_EACH(s, C)
      acc[r.value][s.value] = VF{};
    GN_END;
  GN_END;
  for (int64_t p = 0; p < pairs; ++p, a += ra, b += C * W) {
    __m512i vb[C];
    GN_EACH(s, C)
      vb[s.value] = _mm512_loadu_si512(b + s.value * W);
    GN_END;
    GN_EACH(r, R)
      const __m512i va = _mm512_set1_epi32(a[r.value]);
      GN_EACH(s, C)
        acc[r.value][s.value] = _mm512_dpbf16_ps(acc[r.value][s.value], (__m512bh)va, (__m512bh)vb[s.value]);
      GN_END;
    GN_END;
  }
  GN_EACH(s, C)
    const int64_t count = min64(W, n - s.value * W);
    GN_EACH(r, R)
      VF v = acc[r.value][s.value];
      float* const to = c + r.value * rc + s.value * W;
      const auto part = [&](const float* from)
                            __attribute__((always_inline)) { return count == W ? load(from) : load_n(from, count); };
      if (bias != nullptr) v += part(bias + s.value * W);
      if (accumulate) v += part(to);
      if (relu) v = v <= 0.0f ? VF{} : v;
      if (count == W)
        store(to, v);
      else
        store_n(to, v, count);
    GN_END;
  GN_END;
}

using PairTile = void (*)(int64_t, const int32_t*, int64_t, const int32_t*, float*, int64_t, int64_t, bool,
                          const float*, bool);
#define GN_PAIR_TILE(R) {pair_tile<R, 1>, pair_tile<R, 2>, pair_tile<R, 3>}
constexpr PairTile kPairTiles[kPairRows][kPairCols] = {GN_PAIR_TILE(1), GN_PAIR_TILE(2), GN_PAIR_TILE(3),
                                                       GN_PAIR_TILE(4), GN_PAIR_TILE(5), GN_PAIR_TILE(6),
                                                       GN_PAIR_TILE(7), GN_PAIR_TILE(8)};

inline void gemm_pairs(const Product& p) {
  constexpr int W = Vec<float>::W;
  constexpr int64_t kPairDepth = 768;
  const float *a = static_cast<const float*>(p.a), *b = static_cast<const float*>(p.b);
  float* c = static_cast<float*>(p.c);
  const int64_t row_tiles = (p.m + kPairRows - 1) / kPairRows, rows_padded = (p.m + W - 1) / W * W;
  const int64_t depth = min64(p.k, kPairDepth), width_most = kPairCols * W;
  float* const plain = static_cast<float*>(scratch(0, sizeof(float) * static_cast<size_t>(depth * width_most)));
  int32_t* const pairs_b =
      static_cast<int32_t*>(scratch(1, sizeof(int32_t) * static_cast<size_t>((depth + 2) / 2 * width_most)));
  int32_t* const pairs_a =
      static_cast<int32_t*>(scratch(2, sizeof(int32_t) * static_cast<size_t>((depth + 2) / 2 * rows_padded)));
  const int64_t vectors = (p.n + W - 1) / W, panels = (vectors + kPairCols - 1) / kPairCols;
  for (int64_t k0 = 0; k0 < p.k; k0 += kPairDepth) {
    const int64_t kn = min64(kPairDepth, p.k - k0), pairs = (kn + 1) / 2;
    const bool first = k0 == 0, last = k0 + kn == p.k;
    // a's rows as the columns of a row-major panel, W at a time: then packing is b's.
    for (int64_t i = 0; i < p.m; i += W) {
      pack_b(plain, W, a + i * p.ra + k0 * p.ca, p.ca, p.ra, kn, min64(W, p.m - i));
      pair_rows(pairs_a + i * pairs, plain, W, kn);
    }
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t v0 = vectors * panel / panels, v1 = vectors * (panel + 1) / panels;
      const int64_t j = v0 * W, width = (v1 - v0) * W, n = min64(width, p.n - j);
      pack_b(plain, width, b + k0 * p.rb + j * p.cb, p.rb, p.cb, kn, n);
      pair_rows(pairs_b, plain, width, kn);
      const float* const bias = last && p.bias != nullptr ? static_cast<const float*>(p.bias) + j : nullptr;
      for (int64_t i = 0; i < row_tiles; ++i) {
        const int64_t begin = i * kPairRows, rows = min64(kPairRows, p.m - begin);
        kPairTiles[rows - 1][v1 - v0 - 1](pairs, pairs_a + begin / W * W * pairs + begin % W, W, pairs_b,
                                          c + begin * p.rc + j, p.rc, n, p.accumulate || !first, bias, last && p.relu);
      }
    }
  }
}
