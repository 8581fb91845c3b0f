// The optimizers' steps over contiguous elements, PyTorch's formulas. grad and the states are distinct arrays.

template <class T>
void sgd_step(const void* grad, void* const* state, int, const double* params, int64_t n) {
  const T lr = static_cast<T>(params[0]), momentum = static_cast<T>(params[1]), fresh = static_cast<T>(1 - params[2]),
          decay = static_cast<T>(params[3]), sign = params[5] != 0 ? T(-1) : T(1);
  const bool nesterov = params[4] != 0, first = params[6] != 0;
  const T* g = static_cast<const T*>(grad);
  T* w = static_cast<T*>(state[0]);
  if (params[1] == 0) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) w[i] -= lr * (sign * g[i] + decay * w[i]);
    return;
  }
  T* b = static_cast<T*>(state[1]);
  // first: the buffer is not read, whatever it holds.
  if (first) {
    const T factor = nesterov ? 1 + momentum : T(1);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T d = sign * g[i] + decay * w[i];
      b[i] = d;
      w[i] -= lr * (factor * d);
    }
  } else if (nesterov) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T d = sign * g[i] + decay * w[i];
      const T next = momentum * b[i] + fresh * d;
      b[i] = next;
      w[i] -= lr * (d + momentum * next);
    }
  } else {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T next = momentum * b[i] + fresh * (sign * g[i] + decay * w[i]);
      b[i] = next;
      w[i] -= lr * next;
    }
  }
}

template <class T>
__attribute__((always_inline)) inline T square_root(T x) {
  if constexpr (sizeof(T) == 4)
    return __builtin_sqrtf(x);
  else
    return __builtin_sqrt(x);
}

template <class T>
void adam_step(const void* grad, void* const* state, int nstate, const double* params, int64_t n) {
  const T step_size = static_cast<T>(params[8]), inverse_root = static_cast<T>(params[9]);
  const T fresh1 = static_cast<T>(1 - params[1]), beta2 = static_cast<T>(params[2]),
          fresh2 = static_cast<T>(1 - params[2]), eps = static_cast<T>(params[3]);
  const bool decoupled = params[5] != 0;
  const T decay = decoupled ? T(0) : static_cast<T>(params[4]);
  const T shrink = decoupled ? static_cast<T>(1 - params[0] * params[4]) : T(1);
  const T sign = params[7] != 0 ? T(-1) : T(1);
  const T* g = static_cast<const T*>(grad);
  T *w = static_cast<T*>(state[0]), *m = static_cast<T*>(state[1]), *v = static_cast<T*>(state[2]);
  if (nstate < 4) {
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T d = sign * g[i] + decay * w[i];
      const T mean = m[i] + (d - m[i]) * fresh1, square = beta2 * v[i] + fresh2 * d * d;
      m[i] = mean;
      v[i] = square;
      w[i] = w[i] * shrink - step_size * mean / (square_root(square) * inverse_root + eps);
    }
  } else {
    T* top = static_cast<T*>(state[3]);
    GN_IVDEP for (int64_t i = 0; i < n; ++i) {
      const T d = sign * g[i] + decay * w[i];
      const T mean = m[i] + (d - m[i]) * fresh1, square = beta2 * v[i] + fresh2 * d * d;
      m[i] = mean;
      v[i] = square;
      const T most = square <= top[i] ? top[i] : square;
      top[i] = most;
      w[i] = w[i] * shrink - step_size * mean / (square_root(most) * inverse_root + eps);
    }
  }
}

// One loop for each of the four forms, so that none has a branch in it.
template <class T, bool Momentum, bool Centered>
void rmsprop_loop(const T* g, void* const* state, int nstate, const double* params, int64_t n) {
  const T lr = static_cast<T>(params[0]), alpha = static_cast<T>(params[1]), fresh = static_cast<T>(1 - params[1]),
          eps = static_cast<T>(params[2]), decay = static_cast<T>(params[3]), momentum = static_cast<T>(params[4]),
          sign = params[6] != 0 ? T(-1) : T(1);
  T *w = static_cast<T*>(state[0]), *v = static_cast<T*>(state[1]);
  T* const b = static_cast<T*>(state[Momentum ? 2 : 0]);
  T* const m = static_cast<T*>(state[Centered ? nstate - 1 : 0]);
  GN_IVDEP for (int64_t i = 0; i < n; ++i) {
    const T d = sign * g[i] + decay * w[i];
    const T square = alpha * v[i] + fresh * d * d;
    v[i] = square;
    T spread = square;
    if constexpr (Centered) {
      const T mean = m[i] + (d - m[i]) * fresh;
      m[i] = mean;
      spread = square - mean * mean;
      spread = spread < T(0) ? T(0) : spread;  // a variance is not negative, but its rounded difference may be
    }
    T change = d / (square_root(spread) + eps);
    if constexpr (Momentum) {
      change += momentum * b[i];
      b[i] = change;
    }
    w[i] -= lr * change;
  }
}

template <class T>
void rmsprop_step(const void* grad, void* const* state, int nstate, const double* params, int64_t n) {
  const T* g = static_cast<const T*>(grad);
  const bool momentum = params[4] != 0, centered = params[5] != 0;
  if (momentum && centered)
    rmsprop_loop<T, true, true>(g, state, nstate, params, n);
  else if (momentum)
    rmsprop_loop<T, true, false>(g, state, nstate, params, n);
  else if (centered)
    rmsprop_loop<T, false, true>(g, state, nstate, params, n);
  else
    rmsprop_loop<T, false, false>(g, state, nstate, params, n);
}

template <class T>
void adagrad_step(const void* grad, void* const* state, int, const double* params, int64_t n) {
  const T lr = static_cast<T>(params[0]), eps = static_cast<T>(params[1]), decay = static_cast<T>(params[2]),
          sign = params[3] != 0 ? T(-1) : T(1);
  const T* g = static_cast<const T*>(grad);
  T *w = static_cast<T*>(state[0]), *s = static_cast<T*>(state[1]);
  GN_IVDEP for (int64_t i = 0; i < n; ++i) {
    const T d = sign * g[i] + decay * w[i];
    const T total = s[i] + d * d;
    s[i] = total;
    w[i] -= lr * d / (square_root(total) + eps);
  }
}

void sgd_(const Call& call) {
  run_optimizer(call, call.in[0].dtype == DType::f32 ? sgd_step<float> : sgd_step<double>, call.params,
                reference::sgd_);
}
void adam_(const Call& call) {
  double params[kAdamParams];
  adam_params(call.params, params);
  run_optimizer(call, call.in[0].dtype == DType::f32 ? adam_step<float> : adam_step<double>, params, reference::adam_);
}
void rmsprop_(const Call& call) {
  run_optimizer(call, call.in[0].dtype == DType::f32 ? rmsprop_step<float> : rmsprop_step<double>, call.params,
                reference::rmsprop_);
}
void adagrad_(const Call& call) {
  run_optimizer(call, call.in[0].dtype == DType::f32 ? adagrad_step<float> : adagrad_step<double>, call.params,
                reference::adagrad_);
}
void take_(const Call& call) { run_take(call, reference::take_); }
void index_add_(const Call& call) { run_index_add(call, reference::index_add_); }
void concat_(const Call& call) { run_concat(call, copy_); }
