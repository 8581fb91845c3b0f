// Plain loops for the optimizers: PyTorch's formulas, in double.
#include <cmath>

#include "reference.h"
#include "walk.h"

namespace graphnet::reference {

void sgd_(const Call& call) {
  const double *p = call.params, lr = p[0], momentum = p[1], dampening = p[2], decay = p[3];
  const bool nesterov = p[4] != 0, maximize = p[5] != 0, first = p[6] != 0;
  const View &grad = call.in[0], &param = call.out[0], &buffer = call.out[momentum != 0 ? 1 : 0];
  visit_float(grad.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<3>(param, {&param, &grad, &buffer}, [&](const auto& at_) {
      T& w = *at<T>(param, at_[0]);
      double g = static_cast<double>(*at<T>(grad, at_[1]));
      g = (maximize ? -g : g) + decay * static_cast<double>(w);
      if (momentum != 0) {
        T& b = *at<T>(buffer, at_[2]);
        const double next = first ? g : momentum * static_cast<double>(b) + (1 - dampening) * g;
        b = static_cast<T>(next);
        g = nesterov ? g + momentum * next : next;
      }
      w = static_cast<T>(static_cast<double>(w) - lr * g);
    });
  });
}

void adam_(const Call& call) {
  const double *p = call.params, lr = p[0], beta1 = p[1], beta2 = p[2], eps = p[3], decay = p[4], step = p[6];
  const bool decoupled = p[5] != 0, maximize = p[7] != 0, amsgrad = call.nout > 3;
  const double step_size = lr / (1 - std::pow(beta1, step)), root = std::sqrt(1 - std::pow(beta2, step));
  const View &grad = call.in[0], &param = call.out[0], &mean = call.out[1], &square = call.out[2],
             &top = call.out[amsgrad ? 3 : 2];
  visit_float(grad.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<5>(param, {&param, &grad, &mean, &square, &top}, [&](const auto& at_) {
      T &w = *at<T>(param, at_[0]), &m = *at<T>(mean, at_[2]), &v = *at<T>(square, at_[3]);
      double g = static_cast<double>(*at<T>(grad, at_[1])), value = static_cast<double>(w);
      if (maximize) g = -g;
      if (decoupled)
        value *= 1 - lr * decay;
      else
        g += decay * value;
      const double m1 = static_cast<double>(m) + (g - static_cast<double>(m)) * (1 - beta1);
      double v1 = beta2 * static_cast<double>(v) + (1 - beta2) * g * g;
      m = static_cast<T>(m1);
      v = static_cast<T>(v1);
      if (amsgrad) {
        T& t = *at<T>(top, at_[4]);
        if (!(v1 <= static_cast<double>(t))) t = static_cast<T>(v1);
        v1 = static_cast<double>(t);
      }
      w = static_cast<T>(value - step_size * m1 / (std::sqrt(v1) / root + eps));
    });
  });
}

void rmsprop_(const Call& call) {
  const double *p = call.params, lr = p[0], alpha = p[1], eps = p[2], decay = p[3], momentum = p[4];
  const bool centered = p[5] != 0, maximize = p[6] != 0;
  const View &grad = call.in[0], &param = call.out[0], &square = call.out[1], &buffer = call.out[momentum != 0 ? 2 : 1],
             &mean = call.out[centered ? call.nout - 1 : 1];
  visit_float(grad.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<5>(param, {&param, &grad, &square, &buffer, &mean}, [&](const auto& at_) {
      T &w = *at<T>(param, at_[0]), &v = *at<T>(square, at_[2]);
      double g = static_cast<double>(*at<T>(grad, at_[1]));
      g = (maximize ? -g : g) + decay * static_cast<double>(w);
      const double v1 = alpha * static_cast<double>(v) + (1 - alpha) * g * g;
      v = static_cast<T>(v1);
      double spread = v1;
      if (centered) {
        T& m = *at<T>(mean, at_[4]);
        const double m1 = static_cast<double>(m) + (g - static_cast<double>(m)) * (1 - alpha);
        m = static_cast<T>(m1);
        spread -= m1 * m1;
        if (spread < 0) spread = 0;  // a variance is not negative, but its rounded difference may be
      }
      double change = g / (std::sqrt(spread) + eps);
      if (momentum != 0) {
        T& b = *at<T>(buffer, at_[3]);
        change += momentum * static_cast<double>(b);
        b = static_cast<T>(change);
      }
      w = static_cast<T>(static_cast<double>(w) - lr * change);
    });
  });
}

void adagrad_(const Call& call) {
  const double *p = call.params, lr = p[0], eps = p[1], decay = p[2];
  const bool maximize = p[3] != 0;
  const View &grad = call.in[0], &param = call.out[0], &sum = call.out[1];
  visit_float(grad.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<3>(param, {&param, &grad, &sum}, [&](const auto& at_) {
      T &w = *at<T>(param, at_[0]), &s = *at<T>(sum, at_[2]);
      double g = static_cast<double>(*at<T>(grad, at_[1]));
      g = (maximize ? -g : g) + decay * static_cast<double>(w);
      const double total = static_cast<double>(s) + g * g;
      s = static_cast<T>(total);
      w = static_cast<T>(static_cast<double>(w) - lr * g / (std::sqrt(total) + eps));
    });
  });
}

}  // namespace graphnet::reference
