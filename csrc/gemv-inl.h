// Products with a narrow side, which tiles serve badly. Contract: product.h.
//
// gemm_dots: both operands contiguous along k; dot products on whole vectors, their lanes summed as a tree. For few
// columns (n < a vector) or few rows. gemm_streams: few rows times a row-major b, which is read once, row by row.

// Lane l gets what lane (l + by) modulo W held. Through memory it costs more than the products of 256 columns.
template <class T>
GN_INLINE typename Vec<T>::V turned_lanes(typename Vec<T>::V v, int64_t by) {
  constexpr int W = Vec<T>::W;
#if defined(__clang__)
  alignas(64) T twice[2 * W];
  store(twice, v);
  store(twice + W, v);
  return load(twice + by);
#else
  typename Vec<T>::I order;
  for (int i = 0; i < W; ++i) order[i] = i;
  return __builtin_shuffle(v, order + static_cast<std::remove_reference_t<decltype(order[0])> >(by));  // modulo W
#endif
}

// b comes from memory rather than from L3.
template <class T>
GN_INLINE bool beyond_cache(const Product& p) {
  return p.n * p.k * static_cast<int64_t>(sizeof(T)) > (16 << 20);
}

// sums of R x C dot products of length k: lane r * C + s for kAlongCols, s * R + r otherwise. Rows and columns beyond
// m and n repeat the last one; their sums are to be dropped.
template <class T, int R, int C, bool kAlongCols>
GN_INLINE typename Vec<T>::V dots(const T* a, int64_t ra, int64_t m, const T* b, int64_t cb, int64_t n, int64_t k) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  static_assert(R * C <= W, "one vector holds the sums");
  const T *pa[R], *pb[C];
  GN_EACH(r, R)
    pa[r.value] = a + min64(r.value, m - 1) * ra;
  GN_END;
  GN_EACH(s, C)
    pb[s.value] = b + min64(s.value, n - 1) * cb;
  GN_END;
  V acc[W];
  GN_EACH(x, W)
    acc[x.value] = V{};
  GN_END;
  const auto partial = [&](int64_t q, int64_t count) __attribute__((always_inline)) {
    V vb[C];
    GN_EACH(s, C)
      vb[s.value] = load_n(pb[s.value] + q, count);
    GN_END;
    GN_EACH(r, R)
      const V va = load_n(pa[r.value] + q, count);
      GN_EACH(s, C)
        acc[kAlongCols ? r.value * C + s.value : s.value * R + r.value] += va * vb[s.value];
      GN_END;
    GN_END;
  };
  // Up to the cache line's boundary first, with element i in the lane that i - first has modulo W: each lane then adds
  // up what it would without that start, and the sum does not depend on where the operands lie.
  int64_t q = 0;
  const int64_t first = GN_VECTOR_BYTES == 64 && k >= 4 * W ? to_boundary(a, ra) : 0;
  if (first > 0) {
    V vb[C];
    GN_EACH(s, C)
      vb[s.value] = turned_lanes<T>(load_n(pb[s.value], first), first);
    GN_END;
    GN_EACH(r, R)
      const V va = turned_lanes<T>(load_n(pa[r.value], first), first);
      GN_EACH(s, C)
        acc[kAlongCols ? r.value * C + s.value : s.value * R + r.value] += va * vb[s.value];
      GN_END;
    GN_END;
    q = first;
  }
  for (; q + W <= k; q += W) {
    V vb[C];
    GN_EACH(s, C)
      vb[s.value] = load(pb[s.value] + q);
      keep(vb[s.value]);
    GN_END;
    GN_EACH(r, R)
      V va = load(pa[r.value] + q);
      if constexpr (C > 1) keep(va);
      GN_EACH(s, C)
        acc[kAlongCols ? r.value * C + s.value : s.value * R + r.value] += va * vb[s.value];
      GN_END;
    GN_END;
  }
  if (q < k) partial(q, k - q);
  if (first > 0) {
    GN_EACH(x, W)
      acc[x.value] = turned_lanes<T>(acc[x.value], W - first);
    GN_END;
  }
  return lane_sums(acc);
}

// n < W columns of one row of c: the epilogue.
template <class T>
GN_INLINE void finish_n(const Product& p, T* c, int64_t j, typename Vec<T>::V v, int64_t n) {
  if (p.bias != nullptr) v += load_n(static_cast<const T*>(p.bias) + j, n);
  if (p.accumulate) v += load_n(c, n);
  if (p.relu) v = v <= T(0) ? typename Vec<T>::V{} : v;
  store_n(c, v, n);
}

// Few columns, n < W: R rows of a at a time stay in L1 while the columns pass.
template <class T, int R, int C>
void dots_few_columns(const Product& p) {
  constexpr int W = Vec<T>::W;
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b);
  T* c = static_cast<T*>(p.c);
  for (int64_t i = 0; i < p.m; i += R) {
    T rows[R][W + C] = {};
    for (int64_t j = 0; j < p.n; j += C) {
      T sums[W];
      store(sums, dots<T, R, C, true>(a + i * p.ra, p.ra, p.m - i, b + j * p.cb, p.cb, p.n - j, p.k));
      for (int r = 0; r < R; ++r)
        for (int s = 0; s < C; ++s) rows[r][j + s] = sums[r * C + s];
    }
    for (int r = 0; r < R && i + r < p.m; ++r) finish_n<T>(p, c + (i + r) * p.rc, 0, load(rows[r]), p.n);
  }
}

// Few rows: the columns of b take the rows' place, R at a time.
template <class T, int C, int R>
void dots_few_rows(const Product& p) {
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b);
  T* c = static_cast<T*>(p.c);
  for (int64_t j = 0; j < p.n; j += R)
    for (int64_t i = 0; i < p.m; i += C) {
      auto sums = dots<T, R, C, false>(b + j * p.cb, p.cb, p.n - j, a + i * p.ra, p.ra, p.m - i, p.k);
      const int64_t n = min64(R, p.n - j);
      finish_n<T>(p, c + i * p.rc + j, j, sums, n);
      if constexpr (C > 1)
        if (i + 1 < p.m) finish_n<T>(p, c + (i + 1) * p.rc + j, j, turned<R>(sums), n);
    }
}

// One row: few of b's columns at a time, so that b is few streams (eight at a time were 7 % slower than NumPy), each
// with one accumulator, in step with b's cache lines as in `dots`.
template <class T>
void dots_one_row(const Product& p) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  constexpr int G = W >= 4 ? 4 : W;
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b);
  const int64_t first = GN_VECTOR_BYTES == 64 && p.k >= 4 * W ? to_boundary(b, p.cb) : 0;
  for (int64_t j = 0; j < p.n; j += W) {
    V sums[W];
    for (int64_t c = 0; c < W; c += G) {
      const T* column[G];
      GN_EACH(g, G)
        column[g.value] = b + min64(j + c + g.value, p.n - 1) * p.cb;
      GN_END;
      V acc[G];
      GN_EACH(g, G)
        acc[g.value] = V{};
      GN_END;
      if (j + c < p.n) {
        if (first > 0) {
          const V va = turned_lanes<T>(load_n(a, first), first);
          GN_EACH(g, G)
            acc[g.value] += va * turned_lanes<T>(load_n(column[g.value], first), first);
          GN_END;
        }
        int64_t q = first;
        for (; q + W <= p.k; q += W) {
          V va = load(a + q);
          keep(va);
          GN_EACH(g, G)
            acc[g.value] += va * load(column[g.value] + q);
          GN_END;
        }
        if (q < p.k) {
          const V va = load_n(a + q, p.k - q);
          GN_EACH(g, G)
            acc[g.value] += va * load_n(column[g.value] + q, p.k - q);
          GN_END;
        }
      }
      GN_EACH(g, G)
        sums[c + g.value] = first > 0 ? turned_lanes<T>(acc[g.value], W - first) : acc[g.value];
      GN_END;
    }
    finish_n<T>(p, static_cast<T*>(p.c) + j, j, lane_sums(sums), min64(W, p.n - j));
  }
}

template <class T>
void gemm_dots(const Product& p) {
  constexpr int W = Vec<T>::W;
  if (p.n < W && p.m > p.n) {
    // 3 x 5 for the ten classes of so many networks; the more columns, the fewer loads of a.
    if (p.n == 1 || W < 4) return dots_few_columns<T, (W > 8 ? 8 : W), 1>(p);
    if (W == 16 && p.n % 5 == 0) return dots_few_columns<T, (W == 16 ? 3 : 1), (W == 16 ? 5 : 1)>(p);
    if (p.n == 2 || W < 8) return dots_few_columns<T, (W >= 4 ? W / 2 : 1), (W >= 4 ? 2 : 1)>(p);
    return dots_few_columns<T, (W >= 8 ? W / 4 : 1), (W >= 8 ? 4 : 1)>(p);
  }
  if (p.m == 1) return dots_one_row<T>(p);
  if constexpr (W == 16) {
    // Beyond n the last column is summed again: as few of those as can be.
    const auto summed = [&](int64_t r) __attribute__((always_inline)) { return (p.n + r - 1) / r * r; };
    if (summed(5) < summed(8) && summed(5) <= summed(6)) return dots_few_rows<T, 2, 5>(p);
    if (summed(6) < summed(8)) return dots_few_rows<T, 2, 6>(p);
  }
  dots_few_rows<T, (W >= 4 ? 2 : 1), (W >= 4 ? W / 2 : 2)>(p);
}

// R rows of c, kept in L1, += U rows of b at a time.
template <class T, int R, int U, bool kPrefetch>
GN_INLINE void stream_rows(const T* a, int64_t ra, int64_t ca, const T* b, int64_t rb, T* c, int64_t rc, int64_t n) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  V va[R][U];
  GN_EACH(r, R)
    GN_EACH(u, U)
      va[r.value][u.value] = broadcast<T>(a[r.value * ra + u.value * ca]);
    GN_END;
  GN_END;
  const auto partial = [&](int64_t at, int64_t count) __attribute__((always_inline)) {
    GN_EACH(r, R)
      V acc = load_n(c + r.value * rc + at, count);
      GN_EACH(u, U)
        acc += va[r.value][u.value] * load_n(b + u.value * rb + at, count);
      GN_END;
      store_n(c + r.value * rc + at, acc, count);
    GN_END;
  };
  int64_t j = 0;
  if (GN_VECTOR_BYTES == 64 && n >= 4 * W) {
    j = to_boundary(b, rb);
    if (j > 0) partial(0, j);
  }
  for (; j + W <= n; j += W) {
    V acc[R];
    GN_EACH(r, R)
      acc[r.value] = load(c + r.value * rc + j);
    GN_END;
    GN_EACH(u, U)
      const V vb = load(b + u.value * rb + j);
      if constexpr (kPrefetch) __builtin_prefetch(b + (U + u.value) * rb + j, 0, 2);
      GN_EACH(r, R)
        acc[r.value] += va[r.value][u.value] * vb;
      GN_END;
    GN_END;
    GN_EACH(r, R)
      store(c + r.value * rc + j, acc[r.value]);
    GN_END;
  }
  if (j < n) partial(j, n - j);
}

template <class T, int R, int U, bool kPrefetch>
void stream(const T* a, int64_t ra, int64_t ca, const T* b, int64_t rb, T* c, int64_t rc, int64_t k, int64_t n) {
  int64_t p = 0;
  for (; p + U <= k; p += U) stream_rows<T, R, U, kPrefetch>(a + p * ca, ra, ca, b + p * rb, rb, c, rc, n);
  for (; p < k; ++p) stream_rows<T, R, 1, false>(a + p * ca, ra, ca, b + p * rb, rb, c, rc, n);
}

template <class T>
void gemm_streams(const Product& p) {
  constexpr int64_t kColumns = 4096;
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b), *bias = static_cast<const T*>(p.bias);
  T* c = static_cast<T*>(p.c);
  // Eight rows 4 KB apart and c's share eight ways of L1: from L3, four at a time are 6 % faster; from memory they
  // lose.
  const int64_t size = static_cast<int64_t>(sizeof(T));
  const bool crowded = p.rb * size % 4096 == 0 && p.k * p.n * size <= (4 << 20);
  const auto one_row = beyond_cache<T>(p) ? stream<T, 1, 8, true>
                       : crowded          ? stream<T, 1, 4, false>
                                          : stream<T, 1, 8, false>;
  for (int64_t j = 0; j < p.n; j += kColumns) {
    const int64_t n = min64(kColumns, p.n - j);
    for (int64_t i = 0; i < p.m; ++i) {
      T* row = c + i * p.rc + j;
      if (!p.accumulate)
        for (int64_t q = 0; q < n; ++q) row[q] = bias != nullptr ? bias[j + q] : T(0);
      else if (bias != nullptr)
        for (int64_t q = 0; q < n; ++q) row[q] += bias[j + q];
    }
    int64_t i = 0;
    for (; i + 2 <= p.m; i += 2)
      stream<T, 2, 4, false>(a + i * p.ra, p.ra, p.ca, b + j, p.rb, c + i * p.rc + j, p.rc, p.k, n);
    for (; i < p.m; ++i) one_row(a + i * p.ra, p.ra, p.ca, b + j, p.rb, c + i * p.rc + j, p.rc, p.k, n);
    if (p.relu)
      for (i = 0; i < p.m; ++i) {
        T* row = c + i * p.rc + j;
        GN_IVDEP for (int64_t q = 0; q < n; ++q) row[q] = row[q] <= T(0) ? T(0) : row[q];
      }
  }
}

// k rows of n < W columns, as n rows of k.
template <class T>
void turn_narrow(T* to, const T* b, int64_t rb, int64_t k, int64_t n) {
  constexpr int W = Vec<T>::W;
  for (int64_t q = 0; q < k; q += W) {
    const int64_t depth = min64(W, k - q);
    typename Vec<T>::V v[W];
    for (int i = 0; i < W; ++i) v[i] = load_n(b + (q + min64(i, depth - 1)) * rb, n);
    transpose(v);
    for (int64_t j = 0; j < n; ++j) {
      if (depth == W)
        store(to + j * k + q, v[j]);
      else
        store_n(to + j * k + q, v[j], depth);
    }
  }
}

// Rather than packing b, by how many cycles both ways take: a vector's product one, packing an element a third. What
// turning loses is some 8 steps a tile, and a thirtieth where b is not in L2 (measured from 32 x 784 x 256 to
// 256 x 4096 x 512: 3 % at most from what this says). Eight rows of 32 bytes at a time are bound by their loads (AVX2:
// 90 instead of 102 GFLOP/s).
template <class T>
GN_INLINE bool turning_pays(const Product& p) {
  if (GN_VECTOR_BYTES != 64) return false;
  constexpr int64_t W = Vec<T>::W, kNear = 2 << 20;
  const int64_t m = (p.m + W - 1) / W, n = (p.n + W - 1) / W, bytes = p.n * p.k * static_cast<int64_t>(sizeof(T));
  const int64_t lost = bytes > kNear ? 8 + p.k / 32 : 8;
  return m * n * W * (p.k + lost) + m * W * p.k / 3 < p.m * n * p.k + n * W * p.k / 3;
}

// Small products would only pay for the conversion.
template <class T>
GN_INLINE bool bf16_pays(const Product& p) {
#if GN_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    static const bool has_bf16 = cpu_has_avx512_bf16();
    return matmul_precision() == 2 && has_bf16 && p.m >= 32 && p.n >= 32 && p.k >= 32;
  }
#endif
  static_cast<void>(p);
  return false;
}

// Picks the kernel. What the thresholds cost or gain is in bench/kernels.py's narrow cases.
template <class T>
void gemm(const Product& p) {
  constexpr int W = Vec<T>::W;
  const bool a_rows = p.ca == 1, b_columns = p.rb == 1;
#if GN_VECTOR_BYTES == 64
  if (bf16_pays<T>(p)) return avx512_bf16::product(p);
#endif
  if (p.n < W) {
    if (a_rows && p.k >= W) {
      if (b_columns) return gemm_dots<T>(p);
      if (p.m >= 64 && p.cb == 1) {
        // At the same distance from a 64-byte boundary as a.
        const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(p.a) % 64 / sizeof(T));
        T* const turned = static_cast<T*>(scratch(2, sizeof(T) * static_cast<size_t>(p.k * p.n) + 64)) + past;
        turn_narrow(turned, static_cast<const T*>(p.b), p.rb, p.k, p.n);
        Product own = p;
        own.b = turned;
        own.rb = 1;
        own.cb = p.k;
        return gemm_dots<T>(own);
      }
    } else if (p.ra == 1 && (p.cb == 1 || b_columns) && p.m >= 2 * W && p.k >= 48) {  // a short sum earns no turn
      return gemm_turned<T>(p);
    }
  }
  if (p.m <= 8 && a_rows && b_columns && p.cb != 1 && p.k >= W) return gemm_dots<T>(p);
  // A small b is in L1 however it is read, and tiles keep their sums in registers.
  constexpr int64_t kSmall = (16 << 10) / static_cast<int64_t>(sizeof(T));
  if (p.m <= 2 && p.cb == 1 && p.n >= W && (p.m == 1 || p.n * p.k > kSmall)) return gemm_streams<T>(p);
  if (b_columns && p.cb != 1 && turning_pays<T>(p)) return gemm_turned<T>(p);
  gemm_tiles<T>(p);
}

void matmul_(const Call& call) { run_matmul(call, gemm<float>, gemm<double>); }
void linear_(const Call& call) {
#if GN_VECTOR_BYTES == 64
  if (short_linear(call)) return;
#endif
  run_linear(call, gemm<float>, gemm<double>);
}
