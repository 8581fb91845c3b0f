#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "pool.h"

namespace graphnet {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// Version 2: "max 100000" or "150000 100000", quota and period.
double limit_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || period <= 0 || quota.find_first_not_of("0123456789") != std::string::npos)
    return kUnlimited;
  return std::stod(quota) / period;
}

// Version 1: two files; a quota of -1 is none.
double limit_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return kUnlimited;
  return quota / period;
}

// The least limit of a group and those around it, up to the root of the hierarchy.
template <class Limit>
double least(const std::string& root, std::string path, const Limit& limit) {
  double found = limit(root);
  while (path.size() > 1) {
    found = std::min(found, limit(root + path));
    path.resize(path.rfind('/'));
  }
  return found;
}

}  // namespace

int cgroup_quota(const std::string& root, const std::string& membership) {
  // Lines "number:controllers:/path"; version 2 has number 0 and no controllers. In a container that sees itself as the
  // root the path is "/", or one that is not there: then the root's own files count.
  double limit = std::min(limit_v2(root), limit_v1(root + "/cpu"));
  std::ifstream groups(membership);
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty())
      limit = std::min(limit, least(root, path, limit_v2));
    else if (std::string(",").append(controllers).append(",").find(",cpu,") != std::string::npos)
      limit = std::min({limit, least(root + "/cpu", path, limit_v1),
                        least(std::string(root).append("/").append(controllers), path, limit_v1)});
  }
  return limit < kMaxThreads ? std::max(1, static_cast<int>(limit + 0.999)) : kMaxThreads;
}

}  // namespace graphnet
