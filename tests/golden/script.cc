#include "tests/golden/script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/check.h"
#include "raft/names.h"

namespace golden {

using raft::MemberId;
using raft::show;
using raft::testing::Cluster;
using raft::testing::Node;

Script::Script() {
  add_cluster_commands();
  add_node_commands();
  add_fault_commands();
  add_client_commands();
}

std::string Script::replay(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with("#")) {
      print(line);
    } else if (line.empty()) {
      if (!output_.empty() && !output_.ends_with("\n\n")) print("");
    } else if (line.starts_with("> ")) {
      print(line);
      run(line.substr(2));
      flush_lines();
    }
  }
  while (output_.ends_with("\n\n")) output_.pop_back();
  return output_;
}

void Script::run(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  words >> name;
  Arguments arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  const auto found = commands_.find(name);
  if (found == commands_.end()) {
    ADD_FAILURE() << "unknown command: " << line;
    return;
  }
  if (cluster_ == nullptr && name != "nodes") {
    ADD_FAILURE() << "a script starts with nodes";
    return;
  }
  found->second(arguments);
}

std::uint64_t Script::number(const Arguments& arguments, std::size_t at, std::uint64_t otherwise) {
  return at < arguments.size() ? std::stoull(arguments[at]) : otherwise;
}

/// In brief output only decisions and answers are shown.
void Script::flush_lines() {
  if (cluster_ == nullptr) return;
  for (const std::string& line : cluster_->take_lines()) {
    const std::string rest = line.substr(line.find("  ") + 2);
    const bool traffic = rest.starts_with("send ") || rest.starts_with("after ") ||
                         rest.starts_with("persist ") || rest.starts_with("apply ") ||
                         rest.starts_with("load ");
    if (!brief_ || !traffic) print(line);
  }
}

void Script::add_cluster_commands() {
  commands_["nodes"] = [this](const Arguments& a) {
    const bool numb = a.size() > 1 && a[1] == "numb";
    const auto no_reaction = +[](raft::Options& options) { options.step_down_on_stall = false; };
    cluster_ = std::make_unique<Cluster>(number(a, 0), 1, numb ? no_reaction : nullptr);
  };
  commands_["brief"] = [this](const Arguments&) { brief_ = true; };
  commands_["full"] = [this](const Arguments&) { brief_ = false; };
  commands_["run"] = [this](const Arguments& a) {
    cluster_->run(static_cast<std::uint32_t>(number(a, 0)));
  };
  commands_["settle"] = [this](const Arguments&) { cluster_->settle(); };
  commands_["deliver"] = [this](const Arguments& a) {
    for (std::uint64_t i = 0; i < number(a, 0, 1); ++i) cluster_->deliver();
  };
  commands_["status"] = [this](const Arguments& a) {
    flush_lines();
    for (std::uint64_t id = 1; id <= cluster_->size(); ++id) {
      if (a.empty() || number(a, 0) == id) print_status(id);
    }
  };
}

void Script::add_node_commands() {
  commands_["tick"] = [this](const Arguments& a) {
    cluster_->tick(number(a, 0), static_cast<std::uint32_t>(number(a, 1, 1)));
  };
  commands_["sleep"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::Tick{static_cast<std::uint32_t>(number(a, 1))});
  };
  commands_["campaign"] = [this](const Arguments& a) { campaign(number(a, 0)); };
  commands_["persist"] = [this](const Arguments& a) {
    cluster_->persist(number(a, 0), number(a, 1, ~std::uint64_t{0}));
  };
  commands_["apply"] = [this](const Arguments& a) { cluster_->apply(number(a, 0)); };
  commands_["step-down"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::StepDown{"asked to"});
  };
  commands_["link-down"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::LinkDown{MemberId(number(a, 1))});
  };
  commands_["link-up"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::LinkUp{MemberId(number(a, 1))});
  };
}

void Script::add_fault_commands() {
  commands_["drop"] = [this](const Arguments& a) { drop(number(a, 0), number(a, 1)); };
  commands_["cut"] = [this](const Arguments& a) { cluster_->cut(number(a, 0), number(a, 1)); };
  commands_["isolate"] = [this](const Arguments& a) { cluster_->isolate(number(a, 0)); };
  commands_["cut-log"] = [this](const Arguments& a) {
    cluster_->cut_log(number(a, 0), base::Index(number(a, 1)));
  };
  commands_["snapshots"] = [this](const Arguments& a) { cluster_->serve_snapshots(number(a, 0)); };
  commands_["heal"] = [this](const Arguments&) { cluster_->heal(); };
  commands_["crash"] = [this](const Arguments& a) { cluster_->crash(number(a, 0)); };
  commands_["restart"] = [this](const Arguments& a) { cluster_->restart(number(a, 0)); };
  commands_["wipe"] = [this](const Arguments& a) { cluster_->wipe(number(a, 0)); };
  commands_["hang-log"] = [this](const Arguments& a) {
    cluster_->node(number(a, 0)).hang_log = true;
  };
  commands_["heal-log"] = [this](const Arguments& a) {
    cluster_->node(number(a, 0)).hang_log = false;
  };
  commands_["fail-log"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::PersistFailed{});
  };
  commands_["hang-apply"] = [this](const Arguments& a) {
    cluster_->node(number(a, 0)).hang_apply = true;
  };
  commands_["unfit"] = [this](const Arguments& a) {
    cluster_->step(number(a, 0), raft::SelfAssessment{false, "unfit"});
  };
  commands_["save"] = [this](const Arguments& a) {
    saved_[number(a, 0)] = cluster_->node(number(a, 0)).disk;
  };
  commands_["roll-back"] = [this](const Arguments& a) {
    cluster_->crash(number(a, 0));
    cluster_->node(number(a, 0)).disk = saved_.at(number(a, 0));
  };
}

void Script::add_client_commands() {
  commands_["propose"] = [this](const Arguments& a) { cluster_->propose(number(a, 0), a.at(1)); };
  commands_["read"] = [this](const Arguments& a) { cluster_->read(number(a, 0)); };
}

/// From `from` to `to`; zero stands for everyone.
void Script::drop(std::uint64_t from, std::uint64_t to) {
  std::erase_if(cluster_->network(), [&](const raft::Message& message) {
    return (from == 0 || message.from == MemberId(from)) && (to == 0 || message.to == MemberId(to));
  });
}

/// Ticks one member until its election timer fires, whenever that is.
void Script::campaign(std::uint64_t id) {
  const raft::Role before = cluster_->status(id).role;
  CHECK(before != raft::Role::kLeader, "a leader does not campaign");
  Node& node = cluster_->node(id);
  const std::size_t traced = node.trace.size();
  for (int i = 0; i < 100; ++i) {
    cluster_->tick(id);
    const auto fired = std::any_of(node.trace.begin() + static_cast<long>(traced), node.trace.end(),
                                   [](const raft::TraceEvent& event) {
                                     return event.kind == raft::TraceKind::kBecamePreCandidate;
                                   });
    if (fired) return;
  }
  ADD_FAILURE() << "member " << id << " did not campaign";
}

void Script::print_status(std::uint64_t id) {
  if (cluster_->node(id).core == nullptr) {
    print(std::to_string(id) + "  down");
    return;
  }
  const raft::CoreStatus status = cluster_->status(id);
  std::string line = std::to_string(id) + "  " + std::string(name_of(status.role)) +
                     " term=" + show(status.term) + "/" + show(status.durable_term) +
                     " leader=" + (status.leader ? show(status.leader) : "-") +
                     " last=" + show(status.last) + " durable=" + show(status.durable) +
                     " committed=" + show(status.commit) + " applied=" + show(status.applied) +
                     " floor=" + show(status.cut_floor);
  if (status.stalled) line += " stalled: " + status.stall_reason;
  if (status.quarantined) line += " quarantined: " + status.quarantine_reason;
  if (status.failed) line += " failed";
  if (status.can_read) line += " can-read";
  if (!status.step_down_reason.empty()) line += " stepped-down: " + status.step_down_reason;
  print(line);
}

}  // namespace golden
