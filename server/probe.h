// The probe: each second this member goes through its own client listener as a client would, and
// asks for a linearizable read, and, where it leads, before that for a write that stores nothing:
// accepted, synced, committed, applied (reference failures.md section 9). Door thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/random.h"
#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"

namespace server {

/// What the last probes showed. Times in milliseconds.
struct ProbeResult {
  std::uint64_t ended_ms = 0;      // boot-time clock; 0: none has ended yet
  std::uint32_t failures = 0;      // in a row, until two were good
  std::uint32_t good = 0;          // in a row
  std::string reason;              // of the last failure
  std::optional<double> dial_ms;   // of the last good one
  std::optional<double> write_ms;  // likewise, if it wrote
  std::optional<double> read_ms;   // likewise
};

/// Where the probe leaves its results. Any thread.
class ProbeBoard {
 public:
  void failed(std::uint64_t now_ms, std::string reason);
  void passed(std::uint64_t now_ms, double dial_ms, std::optional<double> write_ms, double read_ms);
  ProbeResult read() const;

 private:
  mutable std::mutex mutex_;
  ProbeResult result_;  // guarded
};

struct ProbeOptions {
  std::uint32_t every_ms = 1000;    // give or take a fifth; 0: never
  std::uint32_t timeout_ms = 1000;  // of one probe
};

/// Whether a board tells of a member that does not serve: three failures in a row, until two were
/// good, or no result for five times the period. Empty: it serves, or has only just started.
std::string probe_complaint(const ProbeResult& result, std::uint64_t now_ms,
                            const ProbeOptions& options);

class Probe {
 public:
  /// `address`: where this member's clients are served. `leads`: asked before each probe. All
  /// outlive it.
  Probe(net::Loop& loop, net::Address address, ProbeOptions options, std::uint64_t seed,
        std::function<bool()> leads, ProbeBoard& board);
  ~Probe() noexcept(false);

 private:
  struct Attempt;
  kj::Promise<void> again();
  kj::Promise<void> once();
  kj::Promise<void> write(std::shared_ptr<Attempt> attempt);
  kj::Promise<void> read(std::shared_ptr<Attempt> attempt);

  net::Loop& loop_;
  const net::Address address_;
  const ProbeOptions options_;
  const std::function<bool()> leads_;
  ProbeBoard& board_;
  base::Random random_;
  std::uint64_t session_ = 0;  // 0: none is open
  std::uint64_t sequence_ = 0;
  kj::Promise<void> task_ = nullptr;
};

}  // namespace server
