#include "client/ctl/why.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "client/ctl/print.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

/// A verdict that several found within so long is one.
constexpr std::uint64_t kSameMs = 3000;

struct Event {
  std::string by;  // the member that wrote it down
  std::uint64_t at_ms = 0;
  std::string what;
  std::uint64_t term = 0;
  std::string peer;
  std::string reason;
};

std::vector<Event> events_of(const std::vector<HealthAnswer>& answers) {
  std::vector<Event> events;
  for (const HealthAnswer& answer : answers) {
    if (!answer.document.contains("events")) continue;
    const std::string by = answer.document.value("member", answer.endpoint);
    for (const auto& each : answer.document["events"]) {
      events.push_back({by, each.value("at_ms", std::uint64_t{0}), each.value("what", ""),
                        each.value("term", std::uint64_t{0}), each.value("peer", ""),
                        each.value("reason", "")});
    }
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.at_ms < b.at_ms; });
  return events;
}

/// Walks through the events once, in order, and remembers what explains what follows.
class Story {
 public:
  void take(const Event& event) {
    if (event.what == "became-leader") {
      leads(event);
    } else if (event.what == "stepped-down") {
      gave_up_[event.by] = event;
    } else if (event.what == "handed-over") {
      heir_of_[event.peer] = event.by;
    } else if (event.what == "became-pre-candidate" || event.what == "became-candidate") {
      if (!stood_.contains(event.by)) stood_[event.by] = event;
    } else if (event.what == "support-withdrawn") {
      withdrew_[event.peer].push_back(event.by);
    } else if (event.what == "verdict") {
      verdict(event);
    } else if (event.what == "verdict-ended") {
      verdict_ended(event);
    } else {
      other(event);
    }
  }
  std::vector<Happening> end() {
    std::stable_sort(story_.begin(), story_.end(),
                     [](const Happening& a, const Happening& b) { return a.at_ms < b.at_ms; });
    return std::move(story_);
  }

 private:
  void leads(const Event& event) {
    Happening change;
    change.kind = Happening::Kind::kLeaderChange;
    change.at_ms = event.at_ms;
    change.member = event.by;
    change.text = "leads in term " + std::to_string(event.term);
    if (!leader_.empty())
      change.text += leader_ == event.by ? ", again" : ", instead of " + leader_;
    explain(event, change);
    story_.push_back(std::move(change));
    leader_ = event.by;
    gave_up_.clear();
    heir_of_.clear();
    stood_.clear();
    withdrew_.clear();
  }

  void explain(const Event& event, Happening& change) const {
    const auto stood = stood_.find(event.by);
    const auto gave_up = gave_up_.find(leader_);
    if (gave_up != gave_up_.end()) {
      change.took_ms = event.at_ms - gave_up->second.at_ms;
      change.text += ". " + leader_ + " gave up: " + gave_up->second.reason;
      const auto heir = heir_of_.find(event.by);
      if (heir != heir_of_.end()) change.text += "; " + heir->second + " chose " + event.by;
    } else {
      if (stood != stood_.end()) change.took_ms = event.at_ms - stood->second.at_ms;
      if (!leader_.empty()) {
        change.text += ". " + leader_ + " fell silent, or its process ended; " + event.by +
                       " stood for election by itself";
      }
    }
    const auto withdrew = withdrew_.find(leader_);
    if (withdrew != withdrew_.end())
      change.text += "; support withdrawn by " + all(withdrew->second);
    change.text += ". It took " + std::to_string(change.took_ms) + " ms";
  }

  static std::string all(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
      text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    }
    return text;
  }

  /// "stalled: log sync pending for 600 ms": what stands before the colon is what is compared.
  static std::string kind_of(const std::string& reason) {
    return reason.substr(0, reason.find(':'));
  }

  Happening* standing(const Event& event) {
    for (auto at = story_.rbegin(); at != story_.rend(); ++at) {
      const bool same = at->kind == Happening::Kind::kVerdict && at->member == event.peer &&
                        kind_of(at->text) == kind_of(event.reason);
      if (same) return &*at;
    }
    return nullptr;
  }
  void verdict(const Event& event) {
    Happening* known = standing(event);
    if (known != nullptr && (known->ended_ms == 0 || event.at_ms < known->at_ms + kSameMs)) {
      if (std::find(known->sources.begin(), known->sources.end(), event.by) ==
          known->sources.end()) {
        known->sources.push_back(event.by);
      }
      known->ended_ms = 0;
      return;
    }
    story_.push_back(
        {Happening::Kind::kVerdict, event.at_ms, event.peer, event.reason, {event.by}});
  }
  void verdict_ended(const Event& event) {
    if (Happening* known = standing(event)) known->ended_ms = event.at_ms;
  }

  void other(const Event& event) {
    Happening happening;
    happening.at_ms = event.at_ms;
    happening.member = event.by;
    if (event.what == "fault-set" || event.what == "fault-cleared") {
      happening.kind = Happening::Kind::kFault;
      happening.text =
          (event.what == "fault-set" ? "fault injected: " : "fault cleared: ") + event.reason;
    } else if (event.what == "quarantined" || event.what == "quarantine-ended" ||
               event.what == "diverged" || event.what == "transfer-aborted") {
      happening.text = event.what + (event.peer.empty() ? "" : " (" + event.peer + ")") +
                       (event.reason.empty() ? "" : ": " + event.reason);
    } else {
      return;
    }
    story_.push_back(std::move(happening));
  }

  std::vector<Happening> story_;
  std::string leader_;
  std::map<std::string, Event> gave_up_;        // since the last change of leader
  std::map<std::string, std::string> heir_of_;  // who was chosen, by whom; likewise
  std::map<std::string, Event> stood_;          // likewise, the first time
  std::map<std::string, std::vector<std::string>> withdrew_;
};

std::string duration(std::uint64_t ms) {
  return ms < 10'000 ? std::to_string(ms) + " ms" : std::to_string(ms / 1000) + " s";
}

std::string sentence(const Happening& one) {
  if (one.kind != Happening::Kind::kVerdict) return one.text;
  std::string text = one.text + " (found by ";
  for (std::size_t i = 0; i < one.sources.size(); ++i)
    text += (i == 0 ? "" : ", ") + one.sources[i];
  return text + (one.ended_ms == 0 ? "; it stands)"
                                   : "; it stood for " + duration(one.ended_ms - one.at_ms) + ")");
}

}  // namespace

std::string time_of(std::uint64_t at_ms) {
  const auto seconds = static_cast<std::time_t>(at_ms / 1000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[48];
  const std::size_t length = std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03u", static_cast<unsigned>(at_ms % 1000));
  return text;
}

std::vector<Happening> story_of(const std::vector<HealthAnswer>& answers) {
  Story story;
  for (const Event& event : events_of(answers)) story.take(event);
  return story.end();
}

std::string simple_why(const std::vector<Happening>& story) {
  if (story.empty()) return "nothing was decided in the last hour\n";
  std::string text;
  for (const Happening& one : story) {
    text += time_of(one.at_ms) + "  " + one.member + "  " + sentence(one) + "\n";
  }
  return text;
}

ordered_json json_of(const std::vector<Happening>& story) {
  static constexpr const char* kKinds[] = {"leader-change", "verdict", "fault", "other"};
  ordered_json json = ordered_json::array();
  for (const Happening& one : story) {
    ordered_json each = {{"kind", kKinds[static_cast<std::size_t>(one.kind)]},
                         {"at_ms", one.at_ms},
                         {"member", one.member},
                         {"text", one.text}};
    if (one.kind == Happening::Kind::kLeaderChange) each["took_ms"] = one.took_ms;
    if (one.kind == Happening::Kind::kVerdict) {
      each["found_by"] = one.sources;
      each["ended_ms"] = one.ended_ms;
    }
    json.push_back(std::move(each));
  }
  return json;
}

}  // namespace client::ctl
