// Products computed as c' = b' a': vectors run along a's rows, b's columns are broadcast, and the sums are transposed
// in registers on their way out. Contract: product.h, with p.m and p.n at least 1.
//
// For y = x W' it packs x where tiles would pack the larger W, on every call, because the user may write to it between
// two. For narrow results of a transposed a it reads a where it lies.

// R columns of b by C vectors of a's rows.
template <class T>
struct TurnedTile {
  int64_t k;
  const T* b;
  int64_t rb, cb;
  const T* a;  // k rows, each of whole vectors
  int64_t ca;
  T* c;
  int64_t rc;
  int64_t m, n;  // how much of the tile there is
  bool accumulate;
  const T* bias;
  bool relu;
};

// Writes columns [0, n) of W rows at a time: v[r] has what column r of the result is to add up to.
template <class T>
GN_INLINE void turned_out(const TurnedTile<T>& t, typename Vec<T>::V* v, int64_t i) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  transpose(v);
  const int64_t n = t.n, rows = min64(W, t.m - i);
  V bias{};
  if (t.bias != nullptr) bias = load_n(t.bias, n);
  T* to = t.c + i * t.rc;
  GN_EACH(l, W)
    if (l.value < rows) {
      V x = v[l.value];
      if (t.bias != nullptr) x += bias;
      if (t.accumulate) x += n == W ? load(to) : load_n(to, n);
      if (t.relu) x = x <= T(0) ? V{} : x;
      if (n == W)
        store(to, x);
      else
        store_n(to, x, n);
      to += t.rc;
    }
  GN_END;
}

// The same for several vectors from memory: one piece of code for all tiles that are narrower than a vector.
template <class T>
__attribute__((noinline)) void turned_out_all(const TurnedTile<T>& t, const T* sums, int columns, int vectors) {
  constexpr int W = Vec<T>::W;
  for (int s = 0; s < vectors; ++s) {
    typename Vec<T>::V v[W];
    for (int r = 0; r < W; ++r) v[r] = load(sums + (min64(r, columns - 1) * vectors + s) * W);
    turned_out(t, v, s * W);
  }
}

// kAcross: b's columns are adjacent (cb = 1), and there are R; otherwise its rows are (rb = 1), and beyond n columns
// the last is repeated.
template <class T, int R, int C, bool kAcross>
void turned_tile(const TurnedTile<T>& t) {
  using V = typename Vec<T>::V;
  constexpr int W = Vec<T>::W;
  V acc[R][C];
  GN_EACH(r, R)
    GN_EACH(s, C)
      acc[r.value][s.value] = V{};
    GN_END;
  GN_END;
  const T* a = t.a;
  const T* b = t.b;
  const int64_t ca = t.ca, rb = t.rb;
  const T* column[R];
  if constexpr (!kAcross) {
    GN_EACH(r, R)
      column[r.value] = b + min64(r.value, t.n - 1) * t.cb;
    GN_END;
  }
  for (int64_t p = 0; p < t.k; ++p) {
    V va[C];
    GN_EACH(s, C)
      va[s.value] = load(a + s.value * W);
    GN_END;
    GN_EACH(r, R)
      const V vb = broadcast<T>(kAcross ? b[r.value] : column[r.value][p]);
      GN_EACH(s, C)
        acc[r.value][s.value] += vb * va[s.value];
      GN_END;
    GN_END;
    a += ca;
    if constexpr (kAcross) b += rb;
  }

  if constexpr (R == W && C == 1) {
    V v[W];
    GN_EACH(r, R)
      v[r.value] = acc[r.value][0];
    GN_END;
    turned_out(t, v, 0);
  } else {
    T sums[R * C * W];
    GN_EACH(r, R)
      GN_EACH(s, C)
        store(sums + (r.value * C + s.value) * W, acc[r.value][s.value]);
      GN_END;
    GN_END;
    turned_out_all(t, sums, R, C);
  }
}

// Vectors of a's rows beside so many columns of b: as many sums as leave registers for the operands.
constexpr int turned_vectors(int64_t columns) {
  constexpr int kSums = GN_VECTOR_BYTES == 32 ? 12 : 28;
  return columns * 4 <= kSums - 4 ? 4 : columns * 2 <= kSums ? 2 : 1;
}

template <class T>
using TurnedFunction = void (*)(const TurnedTile<T>&);

// For so many columns, fewer than a vector.
template <class T, bool kAcross, int R = 1>
TurnedFunction<T> turned_narrow(int64_t columns, bool one) {
  if constexpr (R + 1 < Vec<T>::W)
    if (columns != R) return turned_narrow<T, kAcross, R + 1>(columns, one);
  return one ? turned_tile<T, R, 1, kAcross> : turned_tile<T, R, turned_vectors(R), kAcross>;
}

// a: any strides; b: its rows adjacent (rb = 1) or, where there are fewer columns than in a vector, its columns.
template <class T>
void gemm_turned(const Product& p) {
  constexpr int W = Vec<T>::W;
  constexpr int64_t kPart = 96 << 10;  // elements of a packed at a time: they stay in L2 while b passes
  const T* const a = static_cast<const T*>(p.a);
  const T* const b = static_cast<const T*>(p.b);
  T* const c = static_cast<T*>(p.c);
  const bool narrow = p.n < W, in_place = narrow && p.ra == 1;
  // Sixteen rows 4 KB apart share eight ways of L1, which halves the speed.
  constexpr int kFew = W > 8 ? 8 : W;
  const bool crowded = p.cb * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
  const int64_t columns = narrow ? p.n : crowded ? kFew : W, height = turned_vectors(columns) * W;
  const auto function = [&](bool one) {
    if (narrow) return (p.cb == 1 ? turned_narrow<T, true> : turned_narrow<T, false>)(columns, one);
    if (crowded) return one ? turned_tile<T, kFew, 1, false> : turned_tile<T, kFew, turned_vectors(kFew), false>;
    return one ? turned_tile<T, W, 1, false> : turned_tile<T, W, turned_vectors(W), false>;
  };
  const TurnedFunction<T> one = function(true), many = function(false);
  const int64_t k_blocks = p.k <= kDepth ? 1 : (p.k + kDepth - 1) / kDepth;
  const Split all_k = Split::of(p.k, k_blocks);
  const int64_t deepest = max64(all_k.size(0), 1);
  const int64_t most = in_place ? p.m : max64(height, kPart / deepest / height * height);
  const bool once = k_blocks == 1 && !p.accumulate;
  T* const packed = static_cast<T*>(scratch(
      0, sizeof(T) *
             static_cast<size_t>(deepest * (in_place ? height : min64(most, (p.m + height - 1) / height * height)))));
  for (int64_t i0 = 0; i0 < p.m; i0 += most) {
    const int64_t rows = min64(most, p.m - i0);
    for (int64_t kb = 0; kb < k_blocks; ++kb) {
      const int64_t k0 = all_k.begin(kb), kn = all_k.size(kb);
      const bool last = kb + 1 == k_blocks;
      for (int64_t j = 0; j < p.n; j += columns)
        for (int64_t i = 0; i < rows;) {
          const int64_t width = rows - i > height / 2 ? height : W;
          // A last tile with too few rows is packed, or begins earlier and finds some sums a second time.
          if (in_place && once && rows - i < width && rows >= width) i = rows - width;
          const int64_t count = min64(width, rows - i);
          TurnedTile<T> t;
          t.k = kn;
          t.b = b + k0 * p.rb + j * p.cb;
          t.rb = p.rb;
          t.cb = p.cb;
          t.a = a + (i0 + i) * p.ra + k0 * p.ca;
          t.ca = p.ca;
          if (!in_place || count < width) {
            T* const to = packed + (in_place ? 0 : i * kn);
            if (j == 0) pack_b(to, width, t.a, p.ca, p.ra, kn, count);
            t.a = to;
            t.ca = width;
          }
          t.c = c + (i0 + i) * p.rc + j;
          t.rc = p.rc;
          t.m = count;
          t.n = min64(columns, p.n - j);
          t.accumulate = p.accumulate || kb > 0;
          t.bias = last && p.bias != nullptr ? static_cast<const T*>(p.bias) + j : nullptr;
          t.relu = last && p.relu;
          (width == height ? many : one)(t);
          i += count;
        }
    }
  }
}
