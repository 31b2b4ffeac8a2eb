#include "jepsen/check_command.h"

#include <chrono>
#include <cstdio>

#include "jepsen/history/files.h"

namespace jepsen {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What the folder says that a recorded history is.
std::optional<Verdict> expected(const std::string& path) {
  if (path.find("/good/") != std::string::npos) return Verdict::kValid;
  if (path.find("/bad/") != std::string::npos) return Verdict::kInvalid;
  return std::nullopt;
}

bool check_file(const std::string& path, const CheckArguments& how) {
  const Clock::time_point start = Clock::now();
  auto history = read_history(path);
  if (!history.is_ok()) {
    std::fprintf(stderr, "holdfast-jepsen: %s\n", history.status().to_string().c_str());
    return false;
  }
  const double read_s = seconds_since(start);
  CheckOptions options;
  options.initial = how.initial.value_or(kAbsent);
  options.states_max = how.states_max;
  options.expired = expires_after(how.seconds_max);
  const Clock::time_point read = Clock::now();
  const Judgement judgement = check(history.value(), options);
  std::printf("%s: %s, %zu operations, read in %.2f s, checked in %.2f s\n%s", path.c_str(),
              name_of(judgement.verdict), history->size(), read_s, seconds_since(read),
              words_of(judgement).c_str());
  std::fflush(stdout);
  const auto wanted = how.expect ? expected(path) : std::nullopt;
  if (!wanted) return judgement.verdict == Verdict::kValid;
  // A good history in which nothing was tested is empty.
  const bool as_expected = judgement.verdict == *wanted ||
                           (*wanted == Verdict::kValid && judgement.verdict == Verdict::kEmpty);
  if (!as_expected) std::printf("  NOT AS EXPECTED: it is known to be %s\n", name_of(*wanted));
  return as_expected;
}

}  // namespace

std::function<bool()> expires_after(std::uint32_t seconds) {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  return [end] { return Clock::now() >= end; };
}

std::string words_of(const Judgement& judgement) {
  std::string text;
  if (judgement.findings.empty()) text += "  " + judgement.why + "\n";
  for (const Finding& finding : judgement.findings) {
    text += "  " + finding.checker + ": " + name_of(finding.verdict) + ": " + finding.why + "\n";
    for (const std::string& words : finding.words) text += "      " + words + "\n";
  }
  const Outcomes& outcomes = judgement.outcomes;
  if (outcomes.resolved + outcomes.seen + outcomes.open > 0)
    text += "  unknown outcomes: " + std::to_string(outcomes.seen) + " seen later, " +
            std::to_string(outcomes.resolved) + " told by the store, " +
            std::to_string(outcomes.open) + " left open\n";
  return text;
}

int run_check(const CheckArguments& arguments) {
  std::size_t right = 0;
  for (const std::string& file : arguments.files) right += check_file(file, arguments) ? 1 : 0;
  if (arguments.files.size() > 1)
    std::printf("%zu of %zu %s\n", right, arguments.files.size(),
                arguments.expect ? "as expected" : "valid");
  return right == arguments.files.size() ? 0 : 1;
}

}  // namespace jepsen
