#include "tests/tidy/layers.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

namespace tidy {
namespace {

const std::vector<std::string> kNoThirdParty;
const std::vector<std::string> kCapnp = {"capnp/", "kj/"};

/// Everything that is neither ours nor of the standard or the system.
const std::vector<std::string> kThirdParties = {
    "asio",   "benchmark/", "capnp/",    "CLI/",     "fmt/",    "gflags/", "gmock/",
    "gtest/", "kj/",        "nlohmann/", "rocksdb/", "spdlog/", "xxhash.h"};

bool starts_with_any(const std::string& text, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) {
    return beginning == "*" || text.starts_with(beginning);
  });
}

bool may_include(const Layer& layer, const std::string& path) {
  const Layer* other = layer_of(path);
  if (other == nullptr) return false;
  if (other == &layer) return true;
  return std::any_of(layer.may_include.begin(), layer.may_include.end(),
                     [&](const std::string& allowed) {
                       return allowed == "*" || allowed == path || allowed == other->folder;
                     });
}

/// A pure folder knows only the C++ standard library, whose headers have no ending.
bool is_pure(const Layer& layer) {
  return layer.folder == "raft" || layer.folder == "kv" || layer.folder == "health";
}

std::string check_system_include(const Layer& layer, const std::string& path) {
  if (starts_with_any(path, kThirdParties)) {
    if (starts_with_any(path, layer.third_party)) return "";
    return "<" + path + "> is a third party that " + layer.folder + " may not know";
  }
  if (is_pure(layer) &&
      (path.find('.') != std::string::npos || path.find('/') != std::string::npos))
    return "<" + path + "> is no header of the C++ standard library, and " + layer.folder +
           " is pure";
  return "";
}

using Links = std::map<std::string, std::set<std::string>>;  // by library, ours only

void add_words(const std::string& text, std::set<std::string>& to) {
  static const std::regex kOurs(R"(\bholdfast_\w+)");
  for (std::sregex_iterator word(text.begin(), text.end(), kOurs), end; word != end; ++word)
    to.insert(word->str());
}

Links links_of(const std::vector<Source>& sources) {
  static const std::regex kLibrary(R"(holdfast_library\(\s*(\w+)([^)]*)\))");
  static const std::regex kLink(R"(target_link_libraries\(\s*(holdfast_\w+)([^)]*)\))");
  Links links;
  for (const auto& source : sources) {
    if (!source.path.ends_with("CMakeLists.txt") || source.path.starts_with("tests/")) continue;
    const std::sregex_iterator end;
    const std::string& text = source.text;
    for (std::sregex_iterator found(text.begin(), text.end(), kLibrary); found != end; ++found)
      add_words((*found)[2], links["holdfast_" + (*found)[1].str()]);
    for (std::sregex_iterator found(text.begin(), text.end(), kLink); found != end; ++found)
      add_words((*found)[2], links[(*found)[1]]);
  }
  return links;
}

void reach(const Links& links, const std::string& from, std::set<std::string>& reached) {
  const auto found = links.find(from);
  if (found == links.end()) return;
  for (const auto& next : found->second)
    if (reached.insert(next).second) reach(links, next, reached);
}

/// The libraries of the folders that a layer may include, as far as they exist.
std::set<std::string> libraries_of(const Layer& layer, const Links& links) {
  std::set<std::string> libraries;
  for (const auto& other : layers()) {
    if (&other == &layer || other.library.empty() || !links.contains(other.library)) continue;
    const auto& may = layer.may_include;
    // A layer that knows another's plain types alone may link it, but need not.
    if (std::find(may.begin(), may.end(), other.folder) != may.end())
      libraries.insert(other.library);
  }
  return libraries;
}

std::set<std::string> optional_libraries_of(const Layer& layer) {
  std::set<std::string> libraries;
  for (const auto& name : layer.may_include)
    if (name.ends_with(".h")) libraries.insert(layer_of(name)->library);
  return libraries;
}

}  // namespace

const std::vector<Layer>& layers() {
  static const std::vector<Layer> kLayers = {
      {"base", "holdfast_base", {}, {"xxhash.h"}},
      {"raft", "holdfast_raft", {"base"}, kNoThirdParty},
      {"kv", "holdfast_kv", {"base"}, kNoThirdParty},
      {"health", "holdfast_health", {"base"}, kNoThirdParty},
      {"schema", "holdfast_schema", {"base", "kv/types.h"}, kCapnp},
      {"storage",
       "holdfast_storage",
       {"base", "raft", "kv", "schema"},
       {"rocksdb/", "capnp/", "kj/"}},
      {"net", "holdfast_net", {"base", "schema"}, {"asio", "capnp/", "kj/"}},
      {"net/peer",
       "holdfast_net_peer",
       {"base", "schema", "net", "raft"},
       {"asio", "capnp/", "kj/"}},
      {"server",
       "holdfast_server",
       {"base", "raft", "kv", "health", "schema", "storage", "net", "net/peer"},
       {"*"}},
      {"client",
       "holdfast_client",
       {"base", "schema", "net", "kv/types.h"},
       {"asio", "capnp/", "kj/"}},
      {"client/guard", "holdfast_guard", {"base", "schema", "net"}, {"asio", "kj/"}},
      {"client/ctl",
       "holdfast_ctl",
       {"base", "schema", "net", "client", "client/guard", "kv/types.h"},
       {"asio", "capnp/", "kj/", "CLI/", "nlohmann/"}},
      {"client/ctl/playground",
       "holdfast_playground",
       {"base", "schema", "net", "client", "client/guard", "client/ctl", "kv/types.h"},
       {"asio", "capnp/", "kj/", "nlohmann/"}},
      {"jepsen/history", "holdfast_jepsen_history", {"base"}, {"nlohmann/"}},
      {"jepsen/check", "holdfast_jepsen_check", {"base", "jepsen/history"}, kNoThirdParty},
      {"jepsen",
       "holdfast_jepsen",
       {"base", "schema", "net", "client", "client/guard", "client/ctl", "client/ctl/playground",
        "kv/types.h", "jepsen/history", "jepsen/check"},
       {"*"}},
      {"tests", "", {"*"}, {"*"}},
  };
  return kLayers;
}

const Layer* layer_of(const std::string& path) {
  const Layer* best = nullptr;
  for (const auto& layer : layers())
    if (path.starts_with(layer.folder + "/") &&
        (best == nullptr || layer.folder.size() > best->folder.size()))
      best = &layer;
  return best;
}

/// The verbs that bind the command line together live in its main alone.
bool is_composition_root(const std::string& path) {
  return path == "client/ctl/main.cc" || path == "server/main.cc";
}

Complaints check_includes(const Source& source) {
  Complaints complaints;
  if (!is_cpp(source)) return complaints;
  const Layer* layer = layer_of(source.path);
  if (layer == nullptr) return {complaint(source, 0, "its folder is not in the table of layers")};
  for (const auto& include : includes_of(source)) {
    std::string wrong;
    if (!include.quoted) {
      wrong = check_system_include(*layer, include.path);
    } else if (include.path.find('/') == std::string::npos) {
      wrong = "\"" + include.path + "\" is not given from the root";
    } else if (!may_include(*layer, include.path)) {
      const bool own_child =
          is_composition_root(source.path) && include.path.starts_with(layer->folder + "/");
      if (!own_child) wrong = layer->folder + " may not include \"" + include.path + "\"";
    }
    if (!wrong.empty()) complaints.push_back(complaint(source, include.line, wrong));
  }
  return complaints;
}

Complaints check_links(const std::vector<Source>& sources) {
  Complaints complaints;
  const Links links = links_of(sources);
  for (const auto& layer : layers()) {
    if (!links.contains(layer.library)) continue;
    std::set<std::string> reached;
    reach(links, layer.library, reached);
    const std::set<std::string> wanted = libraries_of(layer, links);
    const std::set<std::string> optional = optional_libraries_of(layer);
    const Source at{layer.folder + "/CMakeLists.txt", ""};
    for (const auto& library : reached)
      if (!wanted.contains(library) && !optional.contains(library))
        complaints.push_back(complaint(
            at, 0, layer.library + " links " + library + ", which its layer may not include"));
    for (const auto& library : wanted)
      if (!reached.contains(library))
        complaints.push_back(
            complaint(at, 0, layer.library + " does not link " + library + ", as its layer says"));
  }
  return complaints;
}

}  // namespace tidy
