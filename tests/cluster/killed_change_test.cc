// Whoever is killed, at whatever step of a change of the membership: the cluster goes on, the
// change is done or not, never half, and nothing that was acknowledged is lost.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

enum class Who : std::uint8_t { kLeader, kChanged, kOther };

struct Step {
  const char* name;
  const char* line;  // in the leader's log
};

/// Three voters under load, and a fourth node that comes and goes.
class KilledChange : public testing::TestWithParam<Who> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    fourth_ = nodes_.join();
    writers_ = std::make_unique<Writers>(WritersOptions{.endpoints = nodes_.endpoints()});
    ASSERT_TRUE(writing_goes_on());
  }
  void TearDown() override {
    if (writers_ == nullptr) return;
    writers_->stop();
    for (const auto& wrong : compare_with_cluster(writers_->history(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    for (const auto& wrong : compare_registers(writers_->registers(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }

  bool writing_goes_on() {
    const std::uint64_t before = writers_->acknowledged();
    return wait_until(20000 * time_scale(), [&] { return writers_->acknowledged() > before + 50; });
  }
  Ended member(std::vector<std::string> words) {
    words.insert(words.begin(), "member");
    words.insert(words.end(), {"--timeout", std::to_string(10 * time_scale()) + "s"});
    return nodes_.holdfast(words, 40000 * time_scale());
  }
  std::vector<std::string> adding() const {
    return {"add",
            nodes_.name(fourth_),
            "--peer-address",
            nodes_.peer_address(fourth_),
            "--client-address",
            nodes_.client_address(fourth_)};
  }

  /// Whether the fourth is a voter, or is gone, and nothing is under way.
  bool stands(bool as_voter) {
    const Ended list = member({"list", "-w", "json"});
    const auto json = nlohmann::json::parse(list.out, nullptr, false);
    if (list.exit_code != 0 || !json.is_object()) return false;
    bool voter = false, known = false;
    for (const auto& row : json["members"]) {
      if (row["outgoing"] == true) return false;
      if (row["name"] != nodes_.name(fourth_)) continue;
      known = true;
      voter = row["voter"] == true;
    }
    return as_voter ? voter : !known;
  }

  /// Whatever the fourth knows of it: nobody tells it while it is no member.
  std::optional<std::size_t> who_leads() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto status = nodes_.status(i);
      if (status && status->leads()) return i;
    }
    return std::nullopt;
  }

  /// Begins the change and kills `who` as soon as a log tells of the step.
  void change_and_kill(const std::vector<std::string>& words, const Step& step, Who who) {
    std::optional<std::size_t> leader;
    ASSERT_TRUE(wait_until(20000 * time_scale(), [&] {
      leader = who_leads();
      return leader.has_value();
    }));
    std::size_t victim = fourth_;
    if (who == Who::kLeader) victim = *leader;
    if (who == Who::kOther) victim = (*leader + 1) % 3;
    // Of equal lines the sink writes ten a second: earlier changes must not use them up.
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    std::vector<std::size_t> before;
    for (std::size_t i = 0; i < nodes_.size(); ++i) before.push_back(nodes_.log(i).size());
    std::thread change([&] { (void)member(words); });
    const bool seen = wait_until(20000 * time_scale(), [&] {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_.log(i).find(step.line, before[i]) != std::string::npos) return true;
      }
      return false;
    });
    nodes_.kill(victim);
    change.join();
    nodes_.start(victim);
    ASSERT_TRUE(seen) << "the step never came" << nodes_.last_words();
  }

  /// Asks again until it is done, as an operator would.
  void finish(const std::vector<std::string>& words, bool as_voter) {
    ASSERT_TRUE(writing_goes_on()) << nodes_.last_words();
    const bool done = wait_until(60000 * time_scale(), [&] {
      if (stands(as_voter)) return true;
      (void)member(words);
      return stands(as_voter);
    });
    ASSERT_TRUE(done) << member({"list"}).out << nodes_.last_words();
  }
  /// The fourth is empty and waits to be added.
  void empty_fourth() {
    nodes_.kill(fourth_);
    fs::remove_all(nodes_.data_dir(fourth_));
    nodes_.start(fourth_);
  }

  Nodes nodes_{3};
  std::size_t fourth_ = 0;
  std::unique_ptr<Writers> writers_;
};

constexpr Step kAdding[] = {{"a learner is appended", "configuration-changing"},
                            {"its directory is bound", "configuration-bound"},
                            {"it is promoted", "promoted"},
                            {"joint", "reason=\"joint\""},
                            {"joint no more", "reason=\"joint no more\""}};
constexpr Step kRemoving[] = {{"joint", "reason=\"joint\""},
                              {"joint no more", "reason=\"joint no more\""}};

TEST_P(KilledChange, LeavesAClusterThatWorks) {
  for (const Step& step : kAdding) {
    SCOPED_TRACE(std::string("adding: ") + step.name);
    ASSERT_NO_FATAL_FAILURE(change_and_kill(adding(), step, GetParam()));
    ASSERT_NO_FATAL_FAILURE(finish(adding(), true));
    ASSERT_NO_FATAL_FAILURE(finish({"remove", nodes_.name(fourth_)}, false));
    empty_fourth();
  }
  for (const Step& step : kRemoving) {
    SCOPED_TRACE(std::string("removing: ") + step.name);
    ASSERT_NO_FATAL_FAILURE(finish(adding(), true));
    ASSERT_NO_FATAL_FAILURE(change_and_kill({"remove", nodes_.name(fourth_)}, step, GetParam()));
    ASSERT_NO_FATAL_FAILURE(finish({"remove", nodes_.name(fourth_)}, false));
    empty_fourth();
  }
}

INSTANTIATE_TEST_SUITE_P(Of, KilledChange,
                         testing::Values(Who::kLeader, Who::kChanged, Who::kOther),
                         [](const auto& each) {
                           if (each.param == Who::kLeader) return "TheLeader";
                           return each.param == Who::kChanged ? "TheChangedMember" : "AnotherVoter";
                         });

}  // namespace
}  // namespace cluster
