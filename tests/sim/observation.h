// The observer of one process (server/observer.h), which is the very one that holdfastd runs, and
// where its reactions go. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/observer.h"
#include "server/replica.h"

namespace sim {

struct ObservationPorts {
  server::Replica* replica = nullptr;
  std::function<void(base::MemberId to, const std::string& rows)> send_rows;
  std::function<void(const health::Verdict& verdict, bool stands)> judged;
};

class Observation : private server::ObserverPort {
 public:
  Observation(server::ObserverOptions options, ObservationPorts ports)
      : ports_(std::move(ports)), observer_(options, *this) {}

  /// At the beginning of each turn of the process.
  health::ClockVerdict begin(std::uint64_t now_us, std::uint64_t wall_ms) {
    due_ = observer_.advance(now_us, wall_ms);
    return observer_.clock();
  }
  /// At the end of it.
  void end(std::uint64_t now_us, std::uint64_t wall_ms, server::OwnReading own) {
    if (!std::exchange(due_, false)) return;
    observer_.observe(now_us, wall_ms, ports_.replica->status().core, std::move(own));
  }
  void receive(base::MemberId from, const std::string& rows, std::uint64_t now_us) {
    observer_.receive(from, rows, now_us);
  }

 private:
  void send_rows(base::MemberId to, const std::string& rows) override {
    ports_.send_rows(to, rows);
  }
  void assess(raft::SelfAssessment assessment) override {
    ports_.replica->assess(std::move(assessment));
  }
  void yield_leadership(base::MemberId to, const std::string& reason) override {
    ports_.replica->yield_leadership(to, reason);
  }
  std::string name_of(base::MemberId id) const override {
    return "n" + std::to_string(id.value - 1);
  }
  void judged(const health::Verdict& verdict, bool stands) override {
    ports_.judged(verdict, stands);
  }

  void diverged(const std::string&) override {}

  const ObservationPorts ports_;
  server::Observer observer_;
  bool due_ = false;
};

}  // namespace sim
