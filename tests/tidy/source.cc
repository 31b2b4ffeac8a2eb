#include "tests/tidy/source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

namespace tidy {
namespace {

namespace fs = std::filesystem;

constexpr std::array kSkipped = {"build", "out", ".git", ".cache"};
constexpr std::array kEndings = {".h", ".cc", ".capnp", ".cmake", ".md", ".txt", ".json", ".py"};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool is_project_text(const std::string& path) {
  const bool script = path.starts_with("scripts/") || path.starts_with(".ci/");
  return script || std::any_of(kEndings.begin(), kEndings.end(),
                               [&](const char* ending) { return path.ends_with(ending); });
}

/// Walks C++ text and blanks what is not code.
class Blanker {
 public:
  explicit Blanker(std::string_view text) : text_(text), code_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (begins("//")) {
        blank_until("\n", false);
      } else if (begins("/*")) {
        blank_until("*/", true);
      } else if (begins("R\"") && !is_word(at_ - 1)) {
        raw_string();
      } else if (text_[at_] == '"' || (text_[at_] == '\'' && !is_word(at_ - 1))) {
        literal(text_[at_]);
      } else {
        ++at_;
      }
    }
    return code_;
  }

 private:
  bool begins(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  /// Also tells a digit separator from the beginning of a character.
  bool is_word(std::size_t i) const {
    return i < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[i])) != 0 || text_[i] == '_');
  }
  void blank(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, code_.size()); ++i)
      if (code_[i] != '\n') code_[i] = ' ';
  }
  void blank_until(std::string_view end, bool inclusive) {
    const std::size_t found = text_.find(end, at_ + 2);
    const std::size_t to =
        found == std::string_view::npos ? text_.size() : found + (inclusive ? end.size() : 0);
    blank(at_, to);
    at_ = to;
  }
  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) {
      at_ = text_.size();
      return;
    }
    const std::string end = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const std::size_t close = text_.find(end, open);
    const std::size_t to = close == std::string_view::npos ? text_.size() : close + end.size();
    blank(at_ + 2, to - 1);
    at_ = to;
  }
  void literal(char quote) {
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != quote && text_[i] != '\n') i += text_[i] == '\\' ? 2 : 1;
    blank(at_ + 1, i);
    at_ = i + 1;
  }

  std::string_view text_;
  std::string code_;
  std::size_t at_ = 0;
};

}  // namespace

std::string complaint(const Source& source, std::size_t line, std::string_view what) {
  return source.path + ":" + std::to_string(line) + ": " + std::string(what);
}

std::vector<Source> read_tree(const std::string& root) {
  std::vector<Source> sources;
  auto entry = fs::recursive_directory_iterator(root);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename().string();
    if (entry->is_directory()) {
      const bool skipped = std::find(kSkipped.begin(), kSkipped.end(), name) != kSkipped.end();
      if (skipped && entry.depth() == 0) entry.disable_recursion_pending();
      continue;
    }
    const std::string path = fs::relative(entry->path(), root).generic_string();
    if (is_project_text(path)) sources.push_back({path, read(entry->path())});
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

bool is_header(const Source& source) {
  return source.path.ends_with(".h");
}
bool is_cpp(const Source& source) {
  return is_header(source) || source.path.ends_with(".cc");
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string code_of(std::string_view text) {
  return Blanker(text).run();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

std::vector<Include> includes_of(const Source& source) {
  static const std::regex kInclude(R"rx(^\s*#\s*include\s*(["<])([^">]+)[">])rx");
  std::vector<Include> includes;
  std::size_t line = 0;
  for (const auto& text : lines_of(source.text)) {
    ++line;
    std::smatch match;
    if (std::regex_search(text, match, kInclude))
      includes.push_back({match[2], match[1] == "\"", line});
  }
  return includes;
}

}  // namespace tidy
