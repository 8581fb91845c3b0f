// A program: kernel calls in order, prepared once and run many times with no Python in between.
#pragma once

#include <vector>

#include "core.h"

namespace graphnet {

class Program {
 public:
  // Appends a checked call and gives its number. Views point into memory that the caller keeps alive and in place.
  int add(int kernel, std::vector<View> in, std::vector<View> out, std::vector<double> params);

  void set_params(int step, const std::vector<double>& params);
  // Lets a step read its first input from elsewhere: memory of the same shape and dtype.
  void set_source(int step, const View& source);

  // Runs every step; on an error, failed() names the step that threw.
  void run();

  int size() const;
  int failed() const;
  const View& source(int step) const;

 private:
  struct Step {
    int kernel;
    std::vector<View> in, out;
    std::vector<double> params;
  };
  std::vector<Step> steps_;
  int failed_ = -1;
};

}  // namespace graphnet
