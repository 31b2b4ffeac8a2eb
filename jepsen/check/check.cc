#include "jepsen/check/check.h"

#include <algorithm>
#include <map>

#include "jepsen/check/appends.h"
#include "jepsen/check/coverage.h"
#include "jepsen/check/exactly_once.h"
#include "jepsen/check/feed.h"
#include "jepsen/check/locks.h"
#include "jepsen/check/revisions.h"
#include "jepsen/check/sets.h"
#include "jepsen/check/watches.h"

namespace jepsen {
namespace {

using Kind = Micro::Kind;

struct Shape {
  bool lists = false, sets = false;
};

Shape shape_of(const History& history) {
  Shape shape;
  for (const Micro& micro : history.micros) {
    shape.lists = shape.lists || micro.kind == Kind::kAppend || micro.kind == Kind::kList;
    shape.sets = shape.sets || micro.kind == Kind::kAdd || micro.kind == Kind::kMembers;
  }
  return shape;
}

/// Members that had applied as much must hold the same.
Finding check_digests(const History& history) {
  Finding finding;
  finding.checker = "digests";
  finding.verdict = Verdict::kEmpty;
  finding.why = "no digests were taken";
  for (const Event& note : history.notes) {
    if (note.f != "digests") continue;
    finding.verdict = Verdict::kValid;
    finding.checked = note.value.items.size() / 2;
    finding.why = std::to_string(finding.checked) + " members hold the same at the end";
    std::map<std::string, std::string> digests;  // by what was applied
    for (std::size_t i = 0; i + 1 < note.value.items.size(); i += 2) {
      const std::string& text = note.value.items[i + 1].text;
      const auto at = text.find(" at ");
      const std::string applied = at == std::string::npos ? "" : text.substr(at);
      if (digests.emplace(applied, text).first->second == text) continue;
      finding.verdict = Verdict::kInvalid;
      finding.why = "members that have applied the same do not hold the same at the end";
    }
    if (digests.size() > 1 && finding.verdict == Verdict::kValid) {
      finding.verdict = Verdict::kUnknown;
      finding.why = "members had not applied the same when they were compared";
    }
    for (std::size_t i = 0; i + 1 < note.value.items.size(); i += 2)
      finding.words.push_back(note.value.items[i].text + ": " + note.value.items[i + 1].text);
  }
  if (finding.verdict == Verdict::kValid) finding.words.clear();
  return finding;
}

/// What the run itself saw go wrong: a member that broke an assertion, a cluster that did not come
/// back, a harness that died.
Finding check_run(const History& history) {
  Finding finding;
  finding.checker = "run";
  finding.checked = history.notes.size();
  for (const Event& note : history.notes) {
    if (note.f != "wrong") continue;
    finding.verdict = Verdict::kInvalid;
    finding.why = note.actor + ": " + note.value.text;
    return finding;
  }
  finding.verdict = history.ended ? Verdict::kValid : Verdict::kUnknown;
  finding.why = history.ended ? "it came to its end, healed, and no member complained"
                              : "it did not come to its end";
  return finding;
}

class Judge {
 public:
  Judge(History& history, const CheckOptions& options) : history_(history), options_(options) {}

  Judgement run() {
    judgement_.outcomes = resolve_unknown(history_, options_.initial);
    auto feed = read_feed(history_);
    if (!feed.is_ok()) {
      Finding finding;
      finding.checker = "feed";
      finding.verdict = Verdict::kInvalid;
      finding.why = feed.status().detail();
      take(std::move(finding));
      feed = Feed();
    }
    judgement_.episodes = episodes_of(history_);
    const Shape shape = shape_of(history_);
    const bool ours = !history_.about.empty();
    take(check_revisions(history_, feed.value()));
    take(check_linearizable(history_, options_));
    if (shape.lists) take(check_appends(history_));
    if (shape.sets) take(check_sets(history_));
    take(check_exactly_once(history_, feed.value()));
    take(check_watches(history_, feed.value()));
    take(check_locks(history_));
    take(check_leases(history_));
    take(check_availability(history_, judgement_.episodes, options_.time_scale));
    take(check_coverage(
        history_, judgement_.episodes,
        judgement_.outcomes.seen + judgement_.outcomes.resolved + judgement_.outcomes.open));
    take(check_digests(history_));
    if (ours) take(check_run(history_));
    conclude();
    return std::move(judgement_);
  }

 private:
  bool required(const std::string& checker) const {
    return std::find(options_.required.begin(), options_.required.end(), checker) !=
           options_.required.end();
  }
  void take(Finding finding) {
    if (finding.verdict == Verdict::kEmpty && !required(finding.checker)) return;
    judgement_.findings.push_back(std::move(finding));
  }
  void conclude() {
    const Finding* worst = nullptr;
    for (const Finding& finding : judgement_.findings)
      if (worst == nullptr || (worse(finding.verdict, worst->verdict) == finding.verdict &&
                               finding.verdict != worst->verdict))
        worst = &finding;
    const bool any = std::any_of(
        judgement_.findings.begin(), judgement_.findings.end(), [](const Finding& finding) {
          return finding.checker != "run" && finding.verdict != Verdict::kEmpty;
        });
    judgement_.verdict = worst == nullptr || !any ? Verdict::kEmpty : worst->verdict;
    if (worst != nullptr) judgement_.why = worst->checker + ": " + worst->why;
    if (judgement_.verdict == Verdict::kValid)
      judgement_.why =
          "nothing contradicts it, in " + std::to_string(judgement_.findings.size()) + " checks";
    if (!any) judgement_.why = "nothing was tested";
  }

  History& history_;
  const CheckOptions& options_;
  Judgement judgement_;
};

}  // namespace

Judgement check(History& history, const CheckOptions& options) {
  return Judge(history, options).run();
}

}  // namespace jepsen
