#include "tests/tidy/style.h"

#include <algorithm>
#include <array>
#include <regex>

#include "tests/tidy/functions.h"

namespace tidy {
namespace {

bool is_pure(const std::string& path) {
  return path.starts_with("raft/") || path.starts_with("kv/") || path.starts_with("health/");
}

bool may_make_threads(const std::string& path) {
  return path.ends_with("/main.cc") || path.starts_with("tests/") || path.starts_with("jepsen/");
}

struct Ban {
  std::regex pattern;
  const char* what;
};

const std::vector<Ban>& pure_bans() {
  static const std::vector<Ban> kBans = {
      {std::regex(R"(\bstd::chrono\b|\bclock_gettime\b|\bgettimeofday\b|<chrono>|<ctime>)"),
       "a clock"},
      {std::regex(R"(\brandom_device\b|<random>|\bs?rand\s*\()"), "randomness that is not seeded"},
      {std::regex(R"(\bstd::j?thread\b|\bthis_thread\b|<thread>|<future>|\bpthread_)"), "a thread"},
      {std::regex(R"(mutex\b|\block_guard\b|\bunique_lock\b|\bscoped_lock\b|condition_variable)"
                  R"(|\bstd::atomic|<atomic>)"),
       "a lock or an atomic"},
      {std::regex(R"(\bu?sleep(_for|_until)?\s*\()"), "a sleep"},
      {std::regex(R"(\b[io]?fstream\b|\bfopen\b|\bstd::filesystem\b|<filesystem>|<cstdio>)"),
       "a file"},
      {std::regex(R"(\b(secure_)?getenv\b)"), "the environment"},
      {std::regex(R"(\bspdlog\b|\bf?printf\s*\(|\bstd::c(out|err|log)\b|<iostream>)"), "logging"},
  };
  return kBans;
}

const Ban& thread_ban() {
  static const Ban kBan = {
      std::regex(R"(\bstd::j?thread\b(?!::)|\bstd::async\b|\bpthread_create\b)"),
      "a thread, which only main.cc makes"};
  return kBan;
}

void apply(const Source& source, const std::vector<std::string>& lines, const Ban& ban,
           Complaints& to) {
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (std::regex_search(lines[i], ban.pattern))
      to.push_back(complaint(source, i + 1, std::string("banned here: ") + ban.what));
}

/// Written apart, so that this file does not complain about itself.
const std::regex& unfinished() {
  static const std::regex kUnfinished(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");
  return kUnfinished;
}
const std::regex& machine_path() {
  static const std::regex kPath(
      "(^|[\\s\"'`(=:,])/(ho"
      "me|ro"
      "ot|wo"
      "rk|Use"
      "rs)/\\w");
  return kPath;
}

constexpr std::array kTestKinds = {"golden",  "paper",   "sim",  "fuzz",       "conformance",
                                   "cluster", "mutants", "tidy", "regression", "bench"};

}  // namespace

Complaints check_banned_calls(const Source& source) {
  Complaints complaints;
  if (!is_cpp(source)) return complaints;
  const auto lines = lines_of(code_of(source.text));
  if (is_pure(source.path))
    for (const auto& ban : pure_bans()) apply(source, lines, ban, complaints);
  if (!may_make_threads(source.path)) apply(source, lines, thread_ban(), complaints);
  return complaints;
}

Complaints check_sizes(const Source& source) {
  Complaints complaints;
  if (!is_cpp(source)) return complaints;
  const std::size_t lines = lines_of(source.text).size();
  if (lines > kFileLines)
    complaints.push_back(complaint(source, 0, std::to_string(lines) + " lines in one file"));
  for (const auto& function : functions_of(source.text))
    if (function.lines > kFunctionLines)
      complaints.push_back(complaint(source, function.line,
                                     std::to_string(function.lines) + " lines in one function"));
  return complaints;
}

Complaints check_form(const Source& source, bool has_header) {
  Complaints complaints;
  if (is_header(source)) {
    if (!source.text.starts_with("//"))
      complaints.push_back(complaint(source, 1, "a header says first what it is"));
    if (source.text.find("\n#pragma once\n") == std::string::npos)
      complaints.push_back(complaint(source, 0, "no #pragma once"));
  } else if (is_cpp(source) && has_header) {
    const std::string own = source.path.substr(0, source.path.size() - 3) + ".h";
    const auto includes = includes_of(source);
    if (includes.empty() || includes.front().path != own)
      complaints.push_back(complaint(source, 0, "its own header is not included first"));
  }
  return complaints;
}

Complaints check_names(const Source& source) {
  static const std::regex kType(
      R"(\b(class|struct|enum|namespace|concept|union)\s+(class\s+)?\w*([mM]anager|[hH]elper|[uU]til|[cC]ommon))");
  static const std::regex kFile("(^|[/_])(manager|helper|util|utils|common)s?([_./]|$)");
  Complaints complaints;
  if (std::regex_search(source.path, kFile))
    complaints.push_back(complaint(source, 0, "a name that says nothing"));
  if (!is_cpp(source)) return complaints;
  const auto lines = lines_of(code_of(source.text));
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (std::regex_search(lines[i], kType))
      complaints.push_back(complaint(source, i + 1, "a name that says nothing"));
  return complaints;
}

Complaints check_marks(const Source& source) {
  Complaints complaints;
  const auto lines = lines_of(source.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (std::regex_search(lines[i], unfinished()))
      complaints.push_back(complaint(source, i + 1, "a note of unfinished work"));
    if (std::regex_search(lines[i], machine_path()))
      complaints.push_back(complaint(source, i + 1, "a path of one machine"));
  }
  return complaints;
}

Complaints check_mirror(const Source& source, const std::vector<Source>& tree) {
  if (!source.path.starts_with("tests/") || !source.path.ends_with("_test.cc")) return {};
  const std::string folder = folder_of(source.path).substr(std::string("tests/").size());
  const std::string first = folder.substr(0, folder.find('/'));
  if (std::find(kTestKinds.begin(), kTestKinds.end(), first) != kTestKinds.end()) return {};
  const bool mirrored = std::any_of(tree.begin(), tree.end(), [&](const Source& other) {
    return is_cpp(other) && folder_of(other.path) == folder;
  });
  if (mirrored) return {};
  return {complaint(source, 0, "tests/" + folder + " mirrors no folder and is no kind of test")};
}

}  // namespace tidy
