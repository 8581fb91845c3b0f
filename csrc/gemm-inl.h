// The product's micro-kernel and blocking. Contract: as product.h says; any strides of a and b.
//
// Vectors run along n; elements of a are broadcast. A tile is R rows by C vectors of accumulators. Each block of k has
// b read in place (its columns contiguous, few rows of a to share the cost of packing) or packed into panels one tile
// wide; a is read in place along its rows or its columns, and packed otherwise. m and n are split evenly, because a
// thin tail tile runs at half speed or less.
//
// Dead ends: `#pragma GCC unroll` leaves accumulators on the stack (63 instead of 108 GFLOP/s), hence each<N>.

#if GN_VECTOR_BYTES == 64
constexpr int kRows = 8, kCols = 3;
#elif GN_VECTOR_BYTES == 32
constexpr int kRows = 6, kCols = 2;
#else
constexpr int kRows = 8, kCols = 2;
#endif
// Up to kFew rows go beside kWide vectors, where there are registers for so many sums: narrower tiles of as few rows
// are over before their loads and stores overlap with another's (2 x 10 x 256: 120 ns, 250 before).
constexpr int kFew = 3, kWide = GN_VECTOR_BYTES == 32 ? 0 : 8;
constexpr int64_t kDepth = 1024;  // k per block: a panel of b (1024 x 48 floats, 192 KB) stays in L2
constexpr int64_t kTall = 1536;   // up to so many rows, a panel of b is packed, used and forgotten; from there on
constexpr int64_t kHeight = 128;  // a block's part of a stays in L2, while
constexpr int64_t kWidth = 1024;  // packed panels of so many columns pass

// Packing b costs 2 cycles an element, and pays when more rows share it than these, by the size of b: what is in L2 is
// read in place at full speed, what is in L3 is not.
GN_INLINE bool packing_pays(int64_t m, int64_t bytes) {
  return m > 32 && bytes > (128 << 10) && m > (bytes <= (2 << 20) ? 256 : bytes <= (4 << 20) ? 64 : 32);
}

// `total` in `parts` parts of nearly equal size, the longer ones first.
struct Split {
  int64_t each, longer;
  GN_INLINE Split of(int64_t total, int64_t parts) {
    if (parts == 1) return {total, 0};  // a division takes as long as a row of a small product
    const int64_t each = total / parts;
    return {each, total - each * parts};
  }
  __attribute__((always_inline)) int64_t begin(int64_t i) const { return each * i + (i < longer ? i : longer); }
  __attribute__((always_inline)) int64_t size(int64_t i) const { return each + (i < longer ? 1 : 0); }
};

// One tile: c[R, C vectors] (+)= a[R, k] . b[k, C vectors].
template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t ra, ca;
  const T* b;
  int64_t rb;
  T* c;
  int64_t rc;
  int64_t n;    // columns: the last vector may be partial
  bool padded;  // but b can be read to its end
  bool accumulate;
  const T* bias;
  bool relu;
  const T* mask;  // or null; where it is not positive, c is 0. With a's rows apart, and nothing else
  int64_t rmask;
};

// One step of k: acc[R, C vectors] += a[R] . b[C vectors]. kAcross: a's elements are adjacent, else `ra` apart;
// kMasked: of b's last vector only `tail` columns may be read.
template <class T, int R, int C, bool kAcross, bool kMasked>
GN_INLINE void tile_step(typename Vec<T>::V (&acc)[R][C], const T* a, int64_t ra, const T* b, int64_t tail) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  V vb[C];
  GN_EACH(c, C)
    if constexpr (kMasked && decltype(c)::value == C - 1)
      vb[c.value] = load_n(b + c.value * W, tail);
    else
      vb[c.value] = load(b + c.value * W);
  GN_END;
  GN_EACH(r, R)
    const V va = broadcast<T>(kAcross ? a[r.value] : a[r.value * ra]);
    GN_EACH(c, C)
      acc[r.value][c.value] += va * vb[c.value];
    GN_END;
  GN_END;
}

// kAcross: a's rows are adjacent (ra = 1), as in a packed a or a transposed one; otherwise its columns are (ca = 1).
template <class T, int R, int C, bool kAcross>
void tile(const Tile<T>& t) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  const int64_t tail = t.n - (C - 1) * W;
  V acc[R][C];
  GN_EACH(r, R)
    GN_EACH(c, C)
      acc[r.value][c.value] = V{};
    GN_END;
  GN_END;
  const T* a = t.a;
  const T* b = t.b;
  const int64_t k = t.k;
  const auto step = [&](int64_t p, auto masked) __attribute__((always_inline)) {
    tile_step<T, R, C, kAcross, decltype(masked)::value != 0>(acc, kAcross ? a : a + p, t.ra, b, tail);
    if constexpr (kAcross) a += t.ca;
    b += t.rb;
  };
  // c's lines are fetched late in a long sum: b's panel is larger than L1 and would push them out again.
  constexpr int64_t kAhead = 48;
  int64_t p = 0;
  if (tail == W || t.padded) {
    if (k >= R * C + 2 * kAhead) {
      for (; p < k - kAhead - R * C; ++p) step(p, Int<0>{});
      const T* row = t.c;
      for (int r = 0; r < R; ++r, row += t.rc) {
        GN_EACH(c, C)
          __builtin_prefetch(row + c.value * W, 1);
          step(p++, Int<0>{});
        GN_END;
      }
    }
    for (; p < k; ++p) step(p, Int<0>{});
  } else {
    for (; p < k; ++p) step(p, Int<1>{});
  }

  if constexpr (!kAcross)
    if (t.mask != nullptr) {
      GN_EACH(r, R)
        const T* const on = t.mask + r.value * t.rmask;
        T* const to = t.c + r.value * t.rc;
        GN_EACH(c, C)
          constexpr int kAt = decltype(c)::value * W;
          const bool part = c.value == C - 1 && tail != W;
          const V y = part ? load_n(on + kAt, tail) : load(on + kAt);
          const V v = y <= T(0) ? V{} : acc[r.value][c.value];
          if (part)
            store_n(to + kAt, v, tail);
          else
            store(to + kAt, v);
        GN_END;
      GN_END;
      return;
    }
  // Without an epilogue, and so without its tests: 5 % of a tile of 64 steps.
  if (tail == W && t.bias == nullptr && !t.relu) {
    T* to = t.c;
    const int64_t rc = t.rc;
    if (t.accumulate) {
      GN_EACH(r, R)
        GN_EACH(c, C)
          store(to + c.value * W, acc[r.value][c.value] + load(to + c.value * W));
        GN_END;
        to += rc;
      GN_END;
    } else {
      GN_EACH(r, R)
        GN_EACH(c, C)
          store(to + c.value * W, acc[r.value][c.value]);
        GN_END;
        to += rc;
      GN_END;
    }
    return;
  }
  GN_EACH(c, C)
    const bool part = c.value == C - 1 && tail != W;
    V bias{};
    if (t.bias != nullptr) bias = part ? load_n(t.bias + c.value * W, tail) : load(t.bias + c.value * W);
    GN_EACH(r, R)
      V v = acc[r.value][c.value];
      T* to = t.c + r.value * t.rc + c.value * W;
      if (t.bias != nullptr) v += bias;
      if (t.accumulate) v += part ? load_n(to, tail) : load(to);
      if (t.relu) v = v <= T(0) ? V{} : v;
      if (part)
        store_n(to, v, tail);
      else
        store(to, v);
    GN_END;
  GN_END;
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, bool kAcross>
struct Tiles {
  static const TileFunction<T> table[kRows][kCols];
  static const TileFunction<T> wide[kFew];
};

#define GN_TILE_ROW(R, X) \
  {                       \
    tile<T, R, 1, X>, tile<T, R, 2, X>
#if GN_VECTOR_BYTES == 64
#define GN_TILE_ROW_END(R, X) \
  , tile<T, R, 3, X>          \
  }
#else
#define GN_TILE_ROW_END(R, X) }
#endif
#define GN_TILE(R) GN_TILE_ROW(R, kAcross) GN_TILE_ROW_END(R, kAcross)
template <class T, bool kAcross>
const TileFunction<T> Tiles<T, kAcross>::table[kRows][kCols] = {GN_TILE(1),
                                                                GN_TILE(2),
                                                                GN_TILE(3),
                                                                GN_TILE(4),
                                                                GN_TILE(5),
                                                                GN_TILE(6)
#if GN_VECTOR_BYTES != 32
                                                                    ,
                                                                GN_TILE(7),
                                                                GN_TILE(8)
#endif
};

template <class T, bool kAcross>
const TileFunction<T> Tiles<T, kAcross>::wide[kFew] = {
#if GN_VECTOR_BYTES == 32
    nullptr, nullptr, nullptr
#else
    tile<T, 1, kWide, kAcross>, tile<T, 2, kWide, kAcross>, tile<T, 3, kWide, kAcross>
#endif
};

// Copies k rows of n columns of b into a panel of `width` columns (whole vectors), zero beyond n.
template <class T>
void pack_b(T* to, int64_t width, const T* b, int64_t rb, int64_t cb, int64_t k, int64_t n) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  if (cb == 1) {
    for (int64_t p = 0; p < k; ++p, to += width, b += rb) {
      int64_t j = 0;
      for (; j + W <= n; j += W) store(to + j, load(b + j));
      if (j < n) store(to + j, load_n(b + j, n - j));
    }
    return;
  }
  if (rb == 1) {  // squares, transposed in registers
    for (int64_t j = 0; j < n; j += W) {
      const int64_t cols = min64(W, n - j);
      for (int64_t p = 0; p < k; p += W) {
        const int64_t depth = min64(W, k - p);
        V v[W];
        if (cols == W && depth == W)
          for (int c = 0; c < W; ++c) v[c] = load(b + (j + c) * cb + p);
        else
          for (int c = 0; c < W; ++c)
            v[c] = c >= cols ? V{} : depth == W ? load(b + (j + c) * cb + p) : load_n(b + (j + c) * cb + p, depth);
        transpose(v);
        if (depth == W)
          for (int q = 0; q < W; ++q) store(to + (p + q) * width + j, v[q]);
        else
          for (int q = 0; q < W; ++q)
            if (q < depth) store(to + (p + q) * width + j, v[q]);
      }
    }
    return;
  }
  for (int64_t p = 0; p < k; ++p)
    for (int64_t j = 0; j < width; ++j) to[p * width + j] = j < n ? b[p * rb + j * cb] : T(0);
}

// Copies `rows` rows of a so that the rows of one k are adjacent.
template <class T>
void pack_a(T* to, const T* a, int64_t ra, int64_t ca, int64_t rows, int64_t k) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < k; ++p) to[p * rows + i] = a[i * ra + p * ca];
}

// Tiles over packed or in-place operands: any shape, best for n of a vector or more. `mask` as in Tile, for k up to
// kDepth.
template <class T>
void gemm_tiles(const Product& p, const T* mask = nullptr, int64_t rmask = 0) {
  constexpr int W = Vec<T>::W;
  const T* const a = static_cast<const T*>(p.a);
  const T* const b = static_cast<const T*>(p.b);
  T* const c = static_cast<T*>(p.c);
  const bool a_rows = p.ca == 1, a_across = !a_rows && p.ra == 1;
  const bool a_packed = !a_rows && !a_across;
  const bool in_place = p.cb == 1 && !packing_pays(p.m, p.n * p.k * static_cast<int64_t>(sizeof(T))) &&
                        (GN_VECTOR_BYTES == 64 || p.n % W == 0);

  const int64_t k_blocks = p.k <= kDepth ? 1 : (p.k + kDepth - 1) / kDepth;
  const int64_t m_blocks = p.m <= kTall ? 1 : (p.m + kHeight - 1) / kHeight;
  const int64_t n_blocks = m_blocks == 1 ? 1 : (p.n + kWidth - 1) / kWidth;
  const Split all_k = Split::of(p.k, k_blocks), all_m = Split::of(p.m, m_blocks),
              all_n = Split::of((p.n + W - 1) / W, n_blocks);  // in vectors
  T* packed_b = nullptr;
  T* packed_a = nullptr;
  if (!in_place)
    packed_b = static_cast<T*>(
        scratch(0, sizeof(T) * static_cast<size_t>(all_k.size(0) * (m_blocks == 1 ? kCols : all_n.size(0)) * W)));
  if (a_packed)
    packed_a = static_cast<T*>(scratch(1, sizeof(T) * static_cast<size_t>(all_k.size(0) * (all_m.size(0) + 1))));

  for (int64_t jb = 0; jb < n_blocks; ++jb) {
    const int64_t j0 = all_n.begin(jb) * W, vectors = all_n.size(jb);
    const int64_t wide = kWide > 0 && in_place && p.m <= kFew ? vectors / max64(kWide, 1) : 0;
    const int64_t rest = vectors - wide * kWide, panels = wide + (rest + kCols - 1) / kCols;
    const Split columns = Split::of(rest, max64(panels - wide, 1));
    for (int64_t kb = 0; kb < k_blocks; ++kb) {
      const int64_t k0 = all_k.begin(kb), kn = all_k.size(kb);
      const bool first = kb == 0, last = kb + 1 == k_blocks;
      for (int64_t ib = 0; ib < m_blocks; ++ib) {
        const int64_t i0 = all_m.begin(ib), mb = all_m.size(ib);
        const int64_t row_tiles = (mb + kRows - 1) / kRows;
        const Split tile_rows = Split::of(mb, row_tiles);
        if (a_packed)
          for (int64_t i = 0; i < row_tiles; ++i) {
            const int64_t begin = tile_rows.begin(i);
            pack_a(packed_a + begin * kn, a + (i0 + begin) * p.ra + k0 * p.ca, p.ra, p.ca, tile_rows.size(i), kn);
          }
        for (int64_t panel = 0; panel < panels; ++panel) {
          const bool broad = panel < wide;
          const int64_t v0 = broad ? panel * kWide : wide * kWide + columns.begin(panel - wide),
                        count = broad ? kWide : columns.size(panel - wide);
          const int64_t j = j0 + v0 * W, width = count * W;
          Tile<T> t;
          t.k = kn;
          t.n = min64(width, p.n - j);
          t.padded = !in_place;
          if (in_place) {
            t.b = b + k0 * p.rb + j;
            t.rb = p.rb;
          } else {
            T* const to = packed_b + (m_blocks == 1 ? 0 : v0 * W * kn);
            if (ib == 0) pack_b(to, width, b + k0 * p.rb + j * p.cb, p.rb, p.cb, kn, t.n);
            t.b = to;
            t.rb = width;
          }
          t.accumulate = p.accumulate || !first;
          t.bias = last && p.bias != nullptr ? static_cast<const T*>(p.bias) + j : nullptr;
          t.relu = last && p.relu;
          t.rc = p.rc;
          t.mask = nullptr;
          t.rmask = rmask;
          const auto& table = a_rows ? Tiles<T, false>::table : Tiles<T, true>::table;
          const auto& few = a_rows ? Tiles<T, false>::wide : Tiles<T, true>::wide;
          for (int64_t i = 0; i < row_tiles; ++i) {
            const int64_t begin = tile_rows.begin(i), rows = tile_rows.size(i);
            t.c = c + (i0 + begin) * p.rc + j;
            if (a_packed) {
              t.a = packed_a + begin * kn;
              t.ra = 1;
              t.ca = rows;
            } else {
              t.a = a + (i0 + begin) * p.ra + k0 * p.ca;
              t.ra = p.ra;
              t.ca = p.ca;
            }
            if (mask != nullptr) t.mask = mask + (i0 + begin) * rmask + j;
            (broad ? few[rows - 1] : table[rows - 1][count - 1])(t);
          }
        }
      }
    }
  }
}
