// Puts the target's kernels into the table. What is not named here stays the reference's.

void fill(Kernel* table) {
#define GN_FILL(name) table[static_cast<int>(Id::name##_)] = name##_;
  GN_FILL(add) GN_FILL(sub) GN_FILL(mul) GN_FILL(div) GN_FILL(maximum) GN_FILL(minimum) GN_FILL(pow)
  GN_FILL(eq) GN_FILL(ne) GN_FILL(lt) GN_FILL(le) GN_FILL(gt) GN_FILL(ge)
  GN_FILL(neg) GN_FILL(abs) GN_FILL(sign) GN_FILL(sqrt) GN_FILL(floor) GN_FILL(ceil) GN_FILL(relu)
  GN_FILL(relu_backward) GN_FILL(isnan) GN_FILL(isfinite) GN_FILL(logical_not)
  GN_FILL(exp) GN_FILL(log) GN_FILL(tanh) GN_FILL(sigmoid) GN_FILL(erf)
  GN_FILL(where) GN_FILL(copy)
  GN_FILL(sum) GN_FILL(prod) GN_FILL(max) GN_FILL(min) GN_FILL(any) GN_FILL(all) GN_FILL(argmax) GN_FILL(argmin)
  GN_FILL(softmax) GN_FILL(log_softmax) GN_FILL(cross_entropy) GN_FILL(cross_entropy_backward)
  GN_FILL(sgd) GN_FILL(adam) GN_FILL(take) GN_FILL(index_add) GN_FILL(concat)
  GN_FILL(matmul) GN_FILL(linear) GN_FILL(matmul_relu_backward) GN_FILL(matmul_sgd) GN_FILL(matmul_adam)
#undef GN_FILL
}
