#include "tests/tidy/functions.h"

#include <algorithm>
#include <regex>
#include <string>

#include "tests/tidy/source.h"

namespace tidy {
namespace {

/// One pass over code without comments and literals.
class Matcher {
 public:
  explicit Matcher(std::string_view text) : code_(code_of(text)) { blank_directives(); }

  std::vector<Function> run() {
    for (; at_ < code_.size(); ++at_) {
      const char c = code_[at_];
      if (c == ';' || c == '}') header_ = at_ + 1;
      if (c == '{') open();
    }
    return std::move(functions_);
  }

 private:
  /// `#include <a>` and the like would be read as a part of what follows.
  void blank_directives() {
    bool directive = false, line_is_blank = true;
    for (char& c : code_) {
      if (c == '\n') {
        directive = directive && continued_;
        line_is_blank = true;
      } else {
        if (line_is_blank && c == '#') directive = true;
        if (c != ' ') line_is_blank = false;
        continued_ = c == '\\';
        if (directive) c = ' ';
      }
    }
  }

  void open() {
    const std::string header = code_.substr(header_, at_ - header_);
    const std::size_t close = matching(at_);
    if (!is_function(header)) {
      if (is_scope(header)) {
        header_ = at_ + 1;  // its insides are looked at
      } else {
        at_ = close;  // an initialiser; the header goes on behind it
      }
      return;
    }
    if (is_member_initialiser(close)) {
      at_ = close;
      return;
    }
    const std::size_t line = line_at(code_, at_);
    functions_.push_back({line, line_at(code_, close) - line + 1});
    at_ = close;
    header_ = close + 1;
  }

  std::size_t matching(std::size_t open) const {
    int depth = 0;
    for (std::size_t i = open; i < code_.size(); ++i) {
      if (code_[i] == '{') ++depth;
      if (code_[i] == '}' && --depth == 0) return i;
    }
    return code_.size();
  }

  static bool is_scope(const std::string& header) {
    static const std::regex kScope(R"(\b(namespace|class|struct|union|enum|extern)\b)");
    return std::regex_search(header, kScope);
  }

  /// Something with parentheses, after which no value is awaited.
  static bool is_function(const std::string& header) {
    const auto last = header.find_last_not_of(" \n");
    if (last == std::string::npos || header.find(')') == std::string::npos) return false;
    static const std::regex kType(
        R"(^\s*(template\s*<[^{]*>\s*)?(class|struct|union|enum|namespace)\b)");
    const bool value = header[last] == '=' || header[last] == ',' || header[last] == '(';
    return !value && !std::regex_search(header, kType);
  }

  /// `member_{value}` in a constructor's list: another one or the body follows.
  bool is_member_initialiser(std::size_t close) const {
    const auto next = code_.find_first_not_of(" \n", close + 1);
    return next != std::string::npos && (code_[next] == ',' || code_[next] == '{');
  }

  std::string code_;
  std::size_t at_ = 0;
  std::size_t header_ = 0;  // where the declaration begins that a brace may belong to
  bool continued_ = false;
  std::vector<Function> functions_;
};

}  // namespace

std::vector<Function> functions_of(std::string_view text) {
  return Matcher(text).run();
}

}  // namespace tidy
