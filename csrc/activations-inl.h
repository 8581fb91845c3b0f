// Inner loops of the activations. Contract: elementwise-inl.h.

struct Gelu {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    return x * T(0.5) * (T(1) + verf(x * T(0.70710678118654752440)));
  }
};
struct GeluTanh {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    const V inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
    return x * T(0.5) * (T(1) + vtanh(inner));
  }
};
struct Silu {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    return x / (T(1) + vexp(-x));
  }
};
// max(x, 0) + log(1 + exp(-|x|)); what 1 + e loses is put back to first order.
struct Softplus {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    const V e = vexp(-vabs(x));
    const V s = e + T(1);
    const V rest = vlog(s) + (e - (s - T(1))) / s;
    return (x > T(0) ? x : V{}) + rest;
  }
};
// exp(x) - 1: from tanh(x/2) where the difference would lose digits.
struct Expm1 {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    const V t = vtanh(x * T(0.5));
    const V twice = t + t;
    const V near = twice + twice * (t / (T(1) - t)), far = vexp(x) - T(1);
    return vabs(x) < T(0.6) ? near : far;
  }
};
// log(1 + x): what 1 + x loses is put back to first order.
struct Log1p {
  template <class V>
  GN_INLINE V f(V x) {
    using T = decltype(x[0] + 0);
    const V u = x + T(1);
    const V plain = vlog(u);
    const V mended = plain + (x - (u - T(1))) / u;
    return (u > T(0)) & (u < static_cast<T>(__builtin_inf())) ? mended : plain;
  }
};
GN_OP(LeakyRelu, (T x, T slope), (x > 0 ? x : x * slope))

GN_KERNEL(gelu, 10, (loop_vector<float, Gelu>), (loop_vector<double, Gelu>), nullptr, nullptr, nullptr)
GN_KERNEL(gelu_tanh, 10, (loop_vector<float, GeluTanh>), (loop_vector<double, GeluTanh>), nullptr, nullptr, nullptr)
GN_KERNEL(silu, 8, (loop_vector<float, Silu>), (loop_vector<double, Silu>), nullptr, nullptr, nullptr)
GN_KERNEL(softplus, 12, (loop_vector<float, Softplus>), (loop_vector<double, Softplus>), nullptr, nullptr, nullptr)
GN_KERNEL(expm1, 10, (loop_vector<float, Expm1>), (loop_vector<double, Expm1>), nullptr, nullptr, nullptr)
GN_KERNEL(log1p, 8, (loop_vector<float, Log1p>), (loop_vector<double, Log1p>), nullptr, nullptr, nullptr)
GN_KERNEL(leaky_relu, 1, (loop2<float, float, LeakyRelu>), (loop2<double, double, LeakyRelu>), nullptr, nullptr,
          nullptr)
