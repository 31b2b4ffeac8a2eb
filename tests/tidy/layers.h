// The arrows between the folders (docs/architecture.md), held against includes and against CMake's
// link lists.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/source.h"

namespace tidy {

/// A folder of the tree and what it may include. A file belongs to the layer with the longest
/// matching name.
struct Layer {
  std::string folder;
  std::string library;                   // CMake's target; "" if it is none
  std::vector<std::string> may_include;  // folders; a name that ends in .h is that header only
  std::vector<std::string> third_party;  // beginnings of <…>; "*": any
};

const std::vector<Layer>& layers();
/// Null if no layer holds it.
const Layer* layer_of(const std::string& path);

/// Includes of our own files and of third parties.
Complaints check_includes(const Source& source);
/// Link lists of all CMakeLists.txt: what a library reaches is what its layer may include.
Complaints check_links(const std::vector<Source>& sources);

}  // namespace tidy
