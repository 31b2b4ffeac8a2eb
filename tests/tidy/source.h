// The files that the rules of tests/tidy look at, and the text of them with everything blanked that
// is not code. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidy {

struct Source {
  std::string path;  // from the root, with slashes
  std::string text;
};

/// "path:line: what is wrong"; line 0: the file as a whole.
std::string complaint(const Source& source, std::size_t line, std::string_view what);
using Complaints = std::vector<std::string>;

/// Every text file of the project below `root`: sources, schemas, CMake files, scripts and pages;
/// nothing that is built, nothing of git.
std::vector<Source> read_tree(const std::string& root);

bool is_cpp(const Source& source);
bool is_header(const Source& source);
/// The folder, without the file's name; "" at the root.
std::string folder_of(const std::string& path);

/// C++ text of the same length and lines, in which comments and the insides of string and character
/// literals are spaces.
std::string code_of(std::string_view text);
std::vector<std::string> lines_of(std::string_view text);
/// From 1.
std::size_t line_at(std::string_view text, std::size_t offset);

struct Include {
  std::string path;
  bool quoted = false;
  std::size_t line = 0;
};
std::vector<Include> includes_of(const Source& source);

}  // namespace tidy
