// Plain loops for the functions of angles and their like, in double: few programs use them.
#include <cmath>

#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

template <class F>
void map(const Call& call, F f) {
  const View &x = call.in[0], &out = call.out[0];
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<2>(out, {&out, &x},
            [&](const auto& at_) { *at<T>(out, at_[0]) = static_cast<T>(f(static_cast<double>(*at<T>(x, at_[1])))); });
  });
}

}  // namespace

void tan_(const Call& call) {
  map(call, [](double x) { return std::tan(x); });
}
void asin_(const Call& call) {
  map(call, [](double x) { return std::asin(x); });
}
void acos_(const Call& call) {
  map(call, [](double x) { return std::acos(x); });
}
void atan_(const Call& call) {
  map(call, [](double x) { return std::atan(x); });
}
void sinh_(const Call& call) {
  map(call, [](double x) { return std::sinh(x); });
}
void cosh_(const Call& call) {
  map(call, [](double x) { return std::cosh(x); });
}
void asinh_(const Call& call) {
  map(call, [](double x) { return std::asinh(x); });
}
void acosh_(const Call& call) {
  map(call, [](double x) { return std::acosh(x); });
}
void atanh_(const Call& call) {
  map(call, [](double x) { return std::atanh(x); });
}
void round_(const Call& call) {
  map(call, [](double x) { return std::nearbyint(x); });  // halves to even
}

}  // namespace graphnet::reference
