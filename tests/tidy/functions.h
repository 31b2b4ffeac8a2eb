// Where functions begin and end: a matcher of braces that is right for this project's style.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace tidy {

struct Function {
  std::size_t line = 0;   // of its opening brace, from 1
  std::size_t lines = 0;  // from that line to the closing brace's, both included
};

/// The outermost functions: those in classes and namespaces, with their lambdas inside them. Class
/// bodies, namespaces and initialisers are none.
std::vector<Function> functions_of(std::string_view text);

}  // namespace tidy
