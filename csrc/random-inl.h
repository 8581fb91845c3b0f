// Inner loop of dropout_mask. Contract: random.h; `first` is even and out is contiguous.

GN_INLINE uint64_t random_word(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

template <class T>
void dropout_line(const Dropout& d, void* to, int64_t first, int64_t n) {
  T* out = static_cast<T*>(to);
  const uint64_t limit = d.limit;
  const T scale = static_cast<T>(d.scale);
  uint64_t z = d.start + static_cast<uint64_t>(first / 2 + 1) * 0x9e3779b97f4a7c15u;
  GN_IVDEP for (int64_t i = 0; i < n / 2; ++i) {
    const uint64_t bits = random_word(z + static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u);
    out[2 * i] = (bits & 0xffffffffu) < limit ? T(0) : scale;
    out[2 * i + 1] = bits >> 32 < limit ? T(0) : scale;
  }
  if (n % 2 != 0) {
    const uint64_t bits = random_word(z + static_cast<uint64_t>(n / 2) * 0x9e3779b97f4a7c15u);
    out[n - 1] = (bits & 0xffffffffu) < limit ? T(0) : scale;
  }
}

void dropout_mask_(const Call& call) {
  run_dropout_mask(call, call.out[0].dtype == DType::f32 ? dropout_line<float> : dropout_line<double>,
                   reference::dropout_mask_);
}
