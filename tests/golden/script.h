// A golden script: commands that drive a few cores, and below each what it caused.
//
// Lines that start with "> " are commands, with "#" comments; the rest is output, compared byte for
// byte. README.md beside it lists the commands.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/raft/cluster.h"

namespace golden {

/// Runs one script; commands are taken one by one.
class Script {
 public:
  Script();
  /// The script again, with the output that its commands cause now. Fails the test on an unknown
  /// command or bad arguments.
  std::string replay(const std::string& text);

 private:
  using Arguments = std::vector<std::string>;
  using Command = std::function<void(const Arguments&)>;

  void run(const std::string& line);
  void add_cluster_commands();
  void add_node_commands();
  void add_fault_commands();
  void add_client_commands();
  std::uint64_t number(const Arguments& arguments, std::size_t at, std::uint64_t otherwise = 0);
  void print(const std::string& line) { output_ += line + "\n"; }
  void flush_lines();
  void print_status(std::uint64_t id);
  void campaign(std::uint64_t id);
  void drop(std::uint64_t from, std::uint64_t to);

  std::map<std::string, Command> commands_;
  std::unique_ptr<raft::testing::Cluster> cluster_;
  std::map<std::uint64_t, raft::testing::Disk> saved_;
  std::map<std::uint64_t, std::vector<raft::EntryPtr>> saved_state_;
  std::string output_;
  bool brief_ = false;  // only what members decided, not what they sent and wrote
};

}  // namespace golden
