// A load generator: N logical clients in a closed loop on this process's one loop. Loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/histogram.h"
#include "client/ctl/arguments.h"

namespace client::ctl {

/// What a run measured. Latencies count successful operations only, from the call to its outcome,
/// retries included.
struct BenchReport {
  std::uint64_t operations = 0;                 // successful
  std::map<std::string, std::uint64_t> errors;  // by the name of the code
  std::uint64_t not_found = 0;                  // gets of keys that nobody put
  std::uint64_t retries = 0;
  double seconds = 0;              // from the first call to the last outcome
  std::uint64_t log_syncs = 0;     // of all members that could be asked, during the run
  bool log_syncs_known = false;    // the same members answered before and after
  double longest_gap_seconds = 0;  // in which nothing succeeded
  base::Histogram latency_us;

  double throughput_per_second() const {
    return seconds > 0 ? static_cast<double>(operations) / seconds : 0;
  }
  double syncs_per_operation() const {
    return operations > 0 ? static_cast<double>(log_syncs) / static_cast<double>(operations) : 0;
  }
};

std::string json_of(const BenchReport& report, const BenchArguments& how);
std::string simple_of(const BenchReport& report, const BenchArguments& how);

/// `holdfast bench`. Exit code 0 if anything succeeded, else that of the most frequent error.
int run_bench(const Arguments& arguments);

}  // namespace client::ctl
