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

  explicit Sgd(const double* p)
      : lr(static_cast<T>(p[0])),
        momentum(static_cast<T>(p[1])),
        fresh(static_cast<T>(1 - p[2])),
        decay(static_cast<T>(p[3])),
        sign(p[5] != 0 ? T(-1) : T(1)),
        factor(p[4] != 0 ? T(1) + static_cast<T>(p[1]) : T(1)),
        plain(p[1] == 0),
        nesterov(p[4] != 0),
        first(p[6] != 0) {}

  // What the parameter becomes; `buffer` is what it was and becomes, not read where it is not needed.
  __attribute__((always_inline)) V next(V g, V w, V& buffer) const {
    const V d = sign * g + decay * w;
    if (plain) return w - lr * d;
    if (first) {
      buffer = d;
      return w - lr * (factor * d);
    }
    buffer = momentum * buffer + fresh * d;
    return w - lr * (nesterov ? d + momentum * buffer : buffer);
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
void update_tile(const UpdateTile<T>& t, const Sgd<T>& sgd) {
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
    constexpr bool kMasked = decltype(masked)::value != 0;
    V vb[C];
    GN_EACH(c, C)
      if constexpr (kMasked && decltype(c)::value == C - 1)
        vb[c.value] = load_n(b + c.value * W, tail);
      else
        vb[c.value] = load(b + c.value * W);
    GN_END;
    GN_EACH(r, R)
      const V va = broadcast<T>(a[r.value]);
      GN_EACH(c, C)
        acc[r.value][c.value] += va * vb[c.value];
      GN_END;
    GN_END;
    a += t.ca;
    b += t.rb;
  };
  // The parameters' lines are on their way while the sums are made.
  if (t.k >= 16) GN_EACH(r, R)
      GN_EACH(c, C)
        __builtin_prefetch(t.w + r.value * t.rw + c.value * W, 1);
        __builtin_prefetch(t.m + r.value * t.rm + c.value * W, 1);
      GN_END;
  GN_END;
  if (tail == W || t.padded)
    for (int64_t p = 0; p < t.k; ++p) step(Int<0>{});
  else
    for (int64_t p = 0; p < t.k; ++p) step(Int<1>{});
  const bool buffered = !sgd.plain, read = buffered && !sgd.first;
  GN_EACH(r, R)
    GN_EACH(c, C)
      T* const w = t.w + r.value * t.rw + c.value * W;
      T* const m = t.m + r.value * t.rm + c.value * W;
      const bool part = c.value == C - 1 && tail != W;
      V buffer{};
      if (part) {
        if (read) buffer = load_n(m, tail);
        const V next = sgd.next(acc[r.value][c.value], load_n(w, tail), buffer);
        store_n(w, next, tail);
        if (buffered) store_n(m, buffer, tail);
      } else {
        if (read) buffer = load(m);
        const V next = sgd.next(acc[r.value][c.value], load(w), buffer);
        store(w, next);
        if (buffered) store(m, buffer);
      }
    GN_END;
  GN_END;
}

template <class T>
using UpdateFunction = void (*)(const UpdateTile<T>&, const Sgd<T>&);

#if !defined(__clang__)
// Few products for each element of narrow rows that follow each other without gaps (n < W, k <= kFlatDepth): whole
// vectors across the rows. Rows one after another took ten times as long, because each masked load waits for the masked
// store before it, which the processor takes to overlap.
constexpr int64_t kFlatDepth = 8;

template <class T>
int64_t matmul_sgd_flat(const Product& p, void* const* state, const Sgd<T>& sgd) {
  using V = typename Vec<T>::V;
  using I = typename Vec<T>::I;
  constexpr int W = Vec<T>::W;
  const int64_t n = p.n, k = p.k, blocks = p.m / W;
  V columns[kFlatDepth][W];
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
  const bool buffered = !sgd.plain, read = buffered && !sgd.first;
  for (int64_t block = 0; block < blocks; ++block) {
    const T* const a = static_cast<const T*>(p.a) + block * W;
    V d[kFlatDepth];
    for (int64_t q = 0; q < k; ++q) d[q] = load(a + q * p.ca);
    for (int64_t v = 0; v < n; ++v, w += W, m += W) {
      V sum{};
      for (int64_t q = 0; q < k; ++q) sum += __builtin_shuffle(d[q], rows[v]) * columns[q][v];
      V buffer{};
      if (read) buffer = load(m);
      const V next = sgd.next(sum, load(w), buffer);
      store(w, next);
      if (buffered) store(m, buffer);
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
#if !defined(__clang__)
  if (p.n < W && p.k <= kFlatDepth && stride[0] == p.n && stride[1] == p.n) first = matmul_sgd_flat<T>(p, state, sgd);
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
