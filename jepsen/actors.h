// Whoever takes part in a run besides the clients: watches, holders of locks, keepers of leases.
// They write down what happens to them as notes. Loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "jepsen/cluster.h"
#include "jepsen/recorder.h"
#include "jepsen/workload.h"

namespace jepsen {

struct Stage {
  Cluster& cluster;
  Recorder& recorder;
  const Workload& workload;
  std::string folder;
  std::uint64_t seed = 1;
};

class Actor {
 public:
  virtual ~Actor() = default;
  virtual void begin() = 0;
  /// Ends what it does; what it has to see first it waits for, some seconds at most. Runs the loop.
  virtual void end() = 0;
};

/// The store's account of all its changes, for the checkers (jepsen/check/feed.h).
class LiveFeed final : public Actor {
 public:
  explicit LiveFeed(Stage stage);
  ~LiveFeed() override;
  void begin() override;
  /// Until it has told of this revision. Returns false if it does not within timeout_ms.
  bool reach(std::uint64_t revision, std::uint64_t timeout_ms);
  void end() override;
  /// It has told of all up to here.
  std::uint64_t told() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// One on each member, which it sticks to, and one that moves.
std::unique_ptr<Actor> make_watches(Stage stage);
std::unique_ptr<Actor> make_holders(Stage stage);
std::unique_ptr<Actor> make_leases(Stage stage);

/// Those that belong to a workload.
std::vector<std::unique_ptr<Actor>> actors_of(const std::string& workload, const Stage& stage);

}  // namespace jepsen
