#include "client/ctl/playground/scenario.h"

#include <algorithm>
#include <sstream>

#include "base/check.h"
#include "client/ctl/bad_argument.h"
#include "client/ctl/duration.h"
#include "client/ctl/playground/injections.h"
#include "client/ctl/playground/state.h"

namespace client::ctl::playground {
namespace {

using Action = PlaygroundArguments::Action;
using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word && !word.starts_with('#');) words.push_back(word);
  return words;
}

/// What happens to nodes, not to the playground.
bool is_step(Action action) {
  switch (action) {
    case Action::kKill:
    case Action::kStop:
    case Action::kRestart:
    case Action::kPause:
    case Action::kResume:
    case Action::kStarve:
    case Action::kHeal:
      return true;
    default:
      return injects(action);
  }
}

base::Result<std::uint32_t> time_of(const std::string& word) {
  if (word == "0" || word == "0s" || word == "0ms") return std::uint32_t{0};
  return parse_duration_ms(word);
}

/// What the command line says of it, without its own name.
std::string why_not(const std::string& verb, const Parsed& parsed) {
  std::string why = parsed.text.substr(0, parsed.text.find('\n'));
  if (why.starts_with("holdfast: ")) why = why.substr(10);
  const bool unknown = why.find("subcommand") != std::string::npos;
  if (parsed.exit_code == kExitOk || unknown) return "\"" + verb + "\" is no verb of `playground`";
  return verb + ": " + why;
}

base::Result<Step> step_of(const Words& words) {
  Step step;
  auto at = time_of(words.front());
  if (!at.is_ok()) return at.status();
  step.at_ms = at.value();
  std::vector<const char*> argv = {"holdfast", "playground"};
  for (std::size_t i = 1; i < words.size(); ++i) {
    argv.push_back(words[i].c_str());
    step.text += (i == 1 ? "" : " ") + words[i];
  }
  const Parsed parsed = parse_arguments(static_cast<int>(argv.size()), argv.data());
  if (!parsed.arguments) {
    return bad(why_not(words[1], parsed));
  }
  step.how = parsed.arguments->playground;
  if (!is_step(step.how.action)) return bad("\"" + words[1] + "\" does nothing to a node");
  return step;
}

class Parser {
 public:
  base::Status take(const std::string& line) {
    const std::size_t text = line.find_first_not_of(" \t");
    if (text != std::string::npos && line[text] == '#' && scenario_.about.empty()) {
      const std::size_t about = line.find_first_not_of("# \t");
      if (about != std::string::npos) scenario_.about = line.substr(about);
    }
    const Words words = words_of(line);
    if (words.empty()) return base::Status::ok();
    if (words.front() == "nodes") return nodes(words);
    if (words.front() == "expect") return expect(words);
    return at_time(words);
  }

  base::Result<Scenario> end() {
    if (scenario_.steps.empty()) return bad("nothing is to happen: there is no line TIME VERB …");
    scenario_.end_ms = std::max(scenario_.end_ms, scenario_.steps.back().at_ms);
    return std::move(scenario_);
  }

 private:
  base::Status nodes(const Words& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] != "3" && words[i] != "5") return bad("nodes: 3 or 5, not " + words[i]);
      scenario_.nodes.push_back(words[i] == "3" ? 3 : 5);
    }
    return words.size() > 1 ? base::Status::ok() : bad("nodes: 3 or 5");
  }

  base::Status expect(const Words& words) {
    const bool known = words.size() >= 3 && words[1] == "leader";
    if (known && words[2] == "stays" && words.size() == 3) {
      scenario_.leadership = Leadership::kStays;
      return base::Status::ok();
    }
    if (known && words[2] == "moves" && words.size() == 5 && words[3] == "within") {
      auto within = parse_duration_ms(words[4]);
      if (!within.is_ok()) return within.status();
      scenario_.leadership = Leadership::kMoves;
      scenario_.within_ms = within.value();
      return base::Status::ok();
    }
    return bad("expect: write `leader moves within TIME` or `leader stays`");
  }

  base::Status at_time(const Words& words) {
    if (words.size() < 2) return bad("write TIME VERB …");
    if (ended_) return bad("nothing happens after `end`");
    std::uint32_t at_ms = 0;
    if (words[1] == "end" && words.size() == 2) {
      auto at = time_of(words.front());
      if (!at.is_ok()) return at.status();
      at_ms = scenario_.end_ms = at.value();
      ended_ = true;
    } else {
      auto step = step_of(words);
      if (!step.is_ok()) return step.status();
      at_ms = step.value().at_ms;
      scenario_.steps.push_back(std::move(step).value());
    }
    if (at_ms < last_ms_) return bad("it is to happen before the line above it");
    last_ms_ = at_ms;
    return base::Status::ok();
  }

  Scenario scenario_;
  std::uint32_t last_ms_ = 0;
  bool ended_ = false;
};

}  // namespace

bool Scenario::fits(std::size_t size) const {
  return nodes.empty() || std::find(nodes.begin(), nodes.end(), size) != nodes.end();
}

std::uint32_t Scenario::lasts_ms() const {
  CHECK(!steps.empty());
  for (const Step& step : steps) {
    if (step.how.action == Action::kHeal) return step.at_ms - steps.front().at_ms;
  }
  return end_ms - steps.front().at_ms;
}

bool tells_of_a_fault(std::string_view event) {
  for (const char* each : {"verdict", "stalled", "stepped-down", "became-pre-candidate",
                           "became-candidate", "support-withdrawn"}) {
    if (event == each) return true;
  }
  return false;
}

base::Result<Scenario> parse_scenario(const std::string& text) {
  Parser parser;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const base::Status status = parser.take(line);
    if (!status.is_ok()) return bad("line " + std::to_string(number) + ": " + status.detail());
  }
  return parser.end();
}

base::Result<Scenario> read_scenario(const std::string& path) {
  auto text = read_file(path);
  if (!text.is_ok()) return text.status();
  auto scenario = parse_scenario(text.value());
  if (!scenario.is_ok()) return bad(path + ": " + scenario.status().detail());
  return scenario;
}

}  // namespace client::ctl::playground
