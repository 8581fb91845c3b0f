// Products whose result is a gradient that an optimizer's step consumes in registers. Contract: product.h; a's rows are
// adjacent (ra = 1) and b's columns too (cb = 1), as in g^T x, and k is at most kDepth.
//
// Passing the gradient through a cache-sized block instead cost 20 % of the product at 128 x 32 x 64, and more the
// shorter k is.

template <class T>
struct Sgd {
  using V = typename Vec<T>::V;
  T lr, momentum, fresh, decay, sign, factor;
  bool plain, nesterov, first;
  bool usual;  // with a buffer that was written before, and nothing else: three multiplications fewer of seven

  explicit Sgd(const double* p)
      : lr(static_cast<T>(p[0])),
        momentum(static_cast<T>(p[1])),
        fresh(static_cast<T>(1 - p[2])),
        decay(static_cast<T>(p[3])),
        sign(p[5] != 0 ? T(-1) : T(1)),
        factor(p[4] != 0 ? T(1) + static_cast<T>(p[1]) : T(1)),
        plain(p[1] == 0),
        nesterov(p[4] != 0),
        first(p[6] != 0),
        usual(p[1] != 0 && p[2] == 0 && p[3] == 0 && p[4] == 0 && p[5] == 0 && p[6] == 0) {}

  // What the parameter becomes; `buffer` is what it was and becomes, not read where it is not needed.
  template <bool kUsual>
  __attribute__((always_inline)) V next(V g, V w, V& buffer) const {
    if (kUsual) {
      buffer = momentum * buffer + g;
      return w - lr * buffer;
    }
    const V d = sign * g + decay * w;
    if (plain) return w - lr * d;
    if (first) {
      buffer = d;
      return w - lr * (factor * d);
    }
    buffer = momentum * buffer + fresh * d;
    return w - lr * (nesterov ? d + momentum * buffer : buffer);
  }

  // The same for n <= W elements in memory, of which there is a whole vector unless kPart.
  template <bool kUsual, bool kPart>
  __attribute__((always_inline)) void update(V g, T* w, T* m, int64_t n) const {
    V buffer{};
    if (kUsual || !(plain || first)) buffer = kPart ? load_n(m, n) : load(m);
    const V changed = next<kUsual>(g, kPart ? load_n(w, n) : load(w), buffer);
    if (kPart)
      store_n(w, changed, n);
    else
      store(w, changed);
    if (!kUsual && plain) return;
    if (kPart)
      store_n(m, buffer, n);
    else
      store(m, buffer);
  }
};

template <class T>
struct UpdateTile {
  int64_t k, n;  // n: columns; the last vector may be partial
  const T* a;
  int64_t ca;
  const T* b;
  int64_t rb;
  bool padded;  // b can be read to the end of its last vector
  T* w;
  int64_t rw;
  T* m;
  int64_t rm;
};

template <class T, int R, int C>
void update_tile(const UpdateTile<T>& t, const Sgd<T>& given) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const int64_t tail = t.n - (C - 1) * W;
  V acc[R][C];
  GN_EACH(r, R)
    GN_EACH(c, C)
      acc[r.value][c.value] = V{};
    GN_END;
  GN_END;
  const T *a = t.a, *b = t.b;
  const auto step = [&](auto masked) __attribute__((always_inline)) {
    tile_step<T, R, C, true, decltype(masked)::value != 0>(acc, a, 1, b, tail);
    a += t.ca;
    b += t.rb;
  };
  // The parameters' lines are fetched a few at a time, with the steps of the sum: all at once held up its loads.
  const auto sum = [&](auto masked) __attribute__((always_inline)) {
    int64_t p = t.k;
    if (t.k >= 48) {
      const int64_t steps = t.k / R;
      const T *w = t.w, *m = t.m;
      for (int r = 0; r < R; ++r, w += t.rw, m += t.rm) {
        GN_EACH(c, C)
          __builtin_prefetch(w + c.value * W, 1);
          __builtin_prefetch(m + c.value * W, 1);
        GN_END;
        for (int64_t q = 0; q < steps; ++q) step(masked);
      }
      p -= steps * R;
    }
    for (; p > 0; --p) step(masked);
  };
  if (tail == W || t.padded)
    sum(Int<0>{});
  else
    sum(Int<1>{});
  const Sgd<T> sgd = given;  // what is read through a pointer is read again after every store
  const auto finish = [&](auto usual, auto part) __attribute__((always_inline)) {
    GN_EACH(r, R)
      GN_EACH(c, C)
        constexpr bool kPart = decltype(part)::value != 0 && decltype(c)::value == C - 1;
        sgd.template update<decltype(usual)::value != 0, kPart>(
            acc[r.value][c.value], t.w + r.value * t.rw + c.value * W, t.m + r.value * t.rm + c.value * W, tail);
      GN_END;
    GN_END;
  };
  if (tail != W)
    finish(Int<0>{}, Int<1>{});
  else if (sgd.usual)
    finish(Int<1>{}, Int<0>{});
  else
    finish(Int<0>{}, Int<0>{});
}

// Few products for each element of wide rows: one row after another, so that no load waits for a store that the
// processor takes to overlap, as those of rows 4096 bytes apart (10 x 2 x 256 in a step: 1020 ns in tiles, 450 by
// rows).
constexpr int64_t kRowDepth = 4;

template <class T, int K, bool kUsual>
void update_rows(const Product& p, void* const* state, const int64_t* stride, const Sgd<T>& given) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const Sgd<T> sgd = given;  // what is read through a pointer is read again after every store
  const int64_t rows = p.m, n = p.n, whole = n / W * W, rw = stride[0], rm = stride[1];
  const T *a = static_cast<const T*>(p.a), *b[K], *across[K];
  T *w = static_cast<T*>(state[0]), *m = static_cast<T*>(state[1]);
  GN_EACH(q, K)
    across[q.value] = a + q.value * p.ca;
    b[q.value] = static_cast<const T*>(p.b) + q.value * p.rb;
  GN_END;
  for (int64_t i = 0; i < rows; ++i, w += rw, m += rm) {
    V d[K];
    GN_EACH(q, K)
      d[q.value] = broadcast<T>(across[q.value][i]);
    GN_END;
    const auto sum = [&](int64_t j, auto part) __attribute__((always_inline)) {
      constexpr bool kPart = decltype(part)::value != 0;
      V g = d[0] * (kPart ? load_n(b[0] + j, n - j) : load(b[0] + j));
      GN_EACH(q, K - 1)
        const T* const from = b[q.value + 1] + j;
        g += d[q.value + 1] * (kPart ? load_n(from, n - j) : load(from));
      GN_END;
      return g;
    };
    for (int64_t j = 0; j < whole; j += W) sgd.template update<kUsual, false>(sum(j, Int<0>{}), w + j, m + j, W);
    if (whole < n) sgd.template update<kUsual, true>(sum(whole, Int<1>{}), w + whole, m + whole, n - whole);
  }
}

template <class T>
using UpdateFunction = void (*)(const UpdateTile<T>&, const Sgd<T>&);

#if !defined(__clang__)
// Few products for each element of narrow rows that follow each other without gaps (n < W, k <= kFlatDepth): whole
// vectors across the rows. Rows one after another took ten times as long, because each masked load waits for the masked
// store before it, which the processor takes to overlap.
constexpr int64_t kFlatDepth = 8;

template <class T, int K, bool kUsual>  // K: k, or 0
int64_t matmul_sgd_flat(const Product& p, void* const* state, const Sgd<T>& given) {
  using V = typename Vec<T>::V;
  using I = typename Vec<T>::I;
  constexpr int W = Vec<T>::W;
  const Sgd<T> sgd = given;  // what is read through a pointer is read again after every store
  const int64_t n = p.n, k = K > 0 ? K : p.k, blocks = p.m / W, ca = p.ca;
  V columns[K > 0 ? K : kFlatDepth][W];
  I rows[W];
  V lane;
  for (int l = 0; l < W; ++l) lane[l] = static_cast<T>(l);
  const T inverse = T(1) / static_cast<T>(n);
  for (int64_t v = 0; v < n; ++v) {
    // Element W v + l of a block of W rows lies in row (W v + l) / n; the half keeps the quotient from a whole number.
    const V at = lane + static_cast<T>(v * W);
    const I row = __builtin_convertvector((at + T(0.5)) * inverse, I);
    const I column = __builtin_convertvector(at, I) - row * static_cast<decltype(row[0] + 0)>(n);
    rows[v] = row;
    for (int64_t q = 0; q < k; ++q)
      columns[q][v] = __builtin_shuffle(load_n(static_cast<const T*>(p.b) + q * p.rb, n), column);
  }
  T *w = static_cast<T*>(state[0]), *m = static_cast<T*>(state[1]);
  for (int64_t block = 0; block < blocks; ++block) {
    const T* const a = static_cast<const T*>(p.a) + block * W;
    V d[K > 0 ? K : kFlatDepth];
    d[0] = load(a);  // k is 1 at least
    for (int64_t q = 1; q < k; ++q) d[q] = load(a + q * ca);
    for (int64_t v = 0; v < n; ++v, w += W, m += W) {
      V sum = __builtin_shuffle(d[0], rows[v]) * columns[0][v];
      for (int64_t q = 1; q < k; ++q) sum += __builtin_shuffle(d[q], rows[v]) * columns[q][v];
      sgd.template update<kUsual, false>(sum, w, m, W);
    }
  }
  return blocks * W;
}
#endif

template <class T>
void matmul_sgd_tiles(const Product& p, void* const* state, const int64_t* stride, const double* params) {
  constexpr int W = Vec<T>::W;
  static constexpr UpdateFunction<T> kTable[4][kCols] = {
#if GN_VECTOR_BYTES == 64
      {update_tile<T, 1, 1>, update_tile<T, 1, 2>, update_tile<T, 1, 3>},
      {update_tile<T, 2, 1>, update_tile<T, 2, 2>, update_tile<T, 2, 3>},
      {update_tile<T, 4, 1>, update_tile<T, 4, 2>, update_tile<T, 4, 3>},
      {update_tile<T, 8, 1>, update_tile<T, 8, 2>, update_tile<T, 8, 3>}
#else
      {update_tile<T, 1, 1>, update_tile<T, 1, 2>},
      {update_tile<T, 2, 1>, update_tile<T, 2, 2>},
      {update_tile<T, 4, 1>, update_tile<T, 4, 2>},
      {nullptr, nullptr}
#endif
  };
  constexpr int kMost = GN_VECTOR_BYTES == 64 ? 3 : 2;  // the power of two that fits the registers
  const Sgd<T> sgd(params);
  int64_t first = 0;
  if (p.n >= W && p.k <= kRowDepth) {
    using Rows = void (*)(const Product&, void* const*, const int64_t*, const Sgd<T>&);
    static constexpr Rows kDepths[2][kRowDepth] = {
        {update_rows<T, 1, false>, update_rows<T, 2, false>, update_rows<T, 3, false>, update_rows<T, 4, false>},
        {update_rows<T, 1, true>, update_rows<T, 2, true>, update_rows<T, 3, true>, update_rows<T, 4, true>}};
    return kDepths[sgd.usual ? 1 : 0][p.k - 1](p, state, stride, sgd);
  }
#if !defined(__clang__)
  if (p.n < W && p.k <= kFlatDepth && stride[0] == p.n && stride[1] == p.n) {
    using Flat = int64_t (*)(const Product&, void* const*, const Sgd<T>&);
    static constexpr Flat kDepths[5] = {matmul_sgd_flat<T, 0, false>, matmul_sgd_flat<T, 1, true>,
                                        matmul_sgd_flat<T, 2, true>, matmul_sgd_flat<T, 3, true>,
                                        matmul_sgd_flat<T, 4, true>};
    first = kDepths[sgd.usual && p.k <= 4 ? p.k : 0](p, state, sgd);
  }
#endif
  const int64_t vectors = (p.n + W - 1) / W, panels = (vectors + kCols - 1) / kCols;
  // Panels are packed where b's rows lie far apart and every row of tiles reads them again.
  const bool packed = p.k >= 48 && p.m >= 64 && p.n > kCols * W;
  T* const panel_b = packed ? static_cast<T*>(scratch(0, sizeof(T) * static_cast<size_t>(p.k * kCols * W))) : nullptr;
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t v0 = vectors * panel / panels, v1 = vectors * (panel + 1) / panels, j = v0 * W;
    UpdateTile<T> t;
    t.k = p.k;
    t.n = min64(p.n - j, (v1 - v0) * W);
    t.ca = p.ca;
    t.b = static_cast<const T*>(p.b) + j;
    t.rb = p.rb;
    t.padded = packed;
    t.rw = stride[0];
    t.rm = stride[1];
    if (packed) {
      pack_b(panel_b, (v1 - v0) * W, t.b, p.rb, 1, p.k, t.n);
      t.b = panel_b;
      t.rb = (v1 - v0) * W;
    }
    int level = kMost;
    for (int64_t i = first; i < p.m; i += int64_t{1} << level) {
      while ((int64_t{1} << level) > p.m - i) --level;
      t.a = static_cast<const T*>(p.a) + i;
      t.w = static_cast<T*>(state[0]) + i * t.rw + j;
      t.m = static_cast<T*>(state[1]) + i * t.rm + j;
      kTable[level][v1 - v0 - 1](t, sgd);
    }
  }
}
