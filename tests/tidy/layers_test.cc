// Each arrow that must not be there is planted once, and seen.
#include "tests/tidy/layers.h"

#include <gtest/gtest.h>

namespace tidy {
namespace {

std::size_t wrong(const std::string& path, const std::string& includes) {
  return check_includes({path, includes}).size();
}

TEST(Layers, TheLongestFolderHoldsAFile) {
  EXPECT_EQ(layer_of("net/loop.cc")->folder, "net");
  EXPECT_EQ(layer_of("net/peer/links.cc")->folder, "net/peer");
  EXPECT_EQ(layer_of("client/ctl/playground/up.cc")->folder, "client/ctl/playground");
  EXPECT_EQ(layer_of("network/loop.cc"), nullptr);
}

TEST(Layers, AllowedIncludesPass) {
  EXPECT_EQ(wrong("raft/core.cc",
                  "#include \"raft/core.h\"\n#include <vector>\n"
                  "#include \"base/ids.h\"\n"),
            0u);
  EXPECT_EQ(wrong("schema/codec.cc", "#include \"kv/types.h\"\n#include <kj/exception.h>\n"), 0u);
  EXPECT_EQ(wrong("client/wire.cc", "#include \"kv/types.h\"\n#include \"net/loop.h\"\n"), 0u);
  EXPECT_EQ(wrong("net/peer/codec.cc", "#include \"raft/message.h\"\n"), 0u);
  EXPECT_EQ(wrong("storage/rocks_log.cc", "#include <rocksdb/db.h>\n#include <unistd.h>\n"), 0u);
}

TEST(Layers, ForbiddenIncludesOfOursAreSeen) {
  EXPECT_EQ(wrong("raft/core.cc", "#include \"kv/types.h\"\n"), 1u);
  EXPECT_EQ(wrong("kv/types.cc", "#include \"raft/entry.h\"\n"), 1u);
  EXPECT_EQ(wrong("base/ids.h", "#include \"raft/entry.h\"\n"), 1u);
  EXPECT_EQ(wrong("schema/codec.cc", "#include \"kv/state_machine.h\"\n"), 1u);
  EXPECT_EQ(wrong("storage/codec.cc", "#include \"server/ports.h\"\n"), 1u);
  EXPECT_EQ(wrong("net/loop.cc", "#include \"raft/message.h\"\n"), 1u);
  EXPECT_EQ(wrong("net/loop.cc", "#include \"net/peer/links.h\"\n"), 1u);
  EXPECT_EQ(wrong("client/wire.cc", "#include \"net/peer/links.h\"\n"), 1u);
  EXPECT_EQ(wrong("client/wire.cc", "#include \"kv/row.h\"\n"), 1u);
  EXPECT_EQ(wrong("client/client.cc", "#include \"client/ctl/print.h\"\n"), 1u);
  EXPECT_EQ(wrong("server/node.cc", "#include \"client/client.h\"\n"), 1u);
  EXPECT_EQ(wrong("raft/core.cc", "  #  include \"kv/types.h\"\n"), 1u) << "spaces hide nothing";
}

TEST(Layers, ForbiddenThirdPartiesAreSeen) {
  EXPECT_EQ(wrong("raft/core.cc", "#include <kj/async.h>\n"), 1u);
  EXPECT_EQ(wrong("kv/types.cc", "#include <rocksdb/db.h>\n"), 1u);
  EXPECT_EQ(wrong("net/loop.cc", "#include <rocksdb/db.h>\n"), 1u);
  EXPECT_EQ(wrong("storage/files.cc", "#include <asio.hpp>\n"), 1u);
  EXPECT_EQ(wrong("client/client.cc", "#include <CLI/CLI.hpp>\n"), 1u);
  EXPECT_EQ(wrong("raft/core.cc", "#include <unistd.h>\n"), 1u)
      << "the system is no place for raft";
  EXPECT_EQ(wrong("kv/row.cc", "#include <sys/stat.h>\n"), 1u);
}

TEST(Layers, AnUnknownFolderAndAnIncludeFromAsideAreSeen) {
  EXPECT_EQ(wrong("misc/thing.cc", ""), 1u);
  EXPECT_EQ(wrong("raft/core.cc", "#include \"core.h\"\n"), 1u);
  EXPECT_EQ(wrong("raft/core.cc", "#include \"misc/thing.h\"\n"), 1u);
}

std::vector<Source> sound_links() {
  return {{"base/CMakeLists.txt", "holdfast_library(base)\n"},
          {"raft/CMakeLists.txt", "holdfast_library(raft DEPENDS holdfast_base)\n"},
          {"kv/CMakeLists.txt", "holdfast_library(kv DEPENDS holdfast_base)\n"},
          {"schema/CMakeLists.txt",
           "add_library(holdfast_schema STATIC x)\n"
           "target_link_libraries(holdfast_schema PUBLIC holdfast_base CapnProto::capnp)\n"}};
}

TEST(Links, ThoseOfTheTablePass) {
  EXPECT_EQ(check_links(sound_links()), Complaints{});
}

TEST(Links, OneTooManyIsSeen) {
  auto sources = sound_links();
  sources[1].text = "holdfast_library(raft DEPENDS holdfast_base holdfast_kv)\n";
  const auto complaints = check_links(sources);
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_NE(complaints[0].find("holdfast_raft links holdfast_kv"), std::string::npos);
}

TEST(Links, OneMissingIsSeenAndOneThroughAnotherCounts) {
  auto sources = sound_links();
  sources.push_back(
      {"storage/CMakeLists.txt", "holdfast_library(storage DEPENDS holdfast_raft holdfast_kv)\n"});
  const auto complaints = check_links(sources);
  ASSERT_EQ(complaints.size(), 1u) << "base is reached through raft; schema is not";
  EXPECT_NE(complaints[0].find("does not link holdfast_schema"), std::string::npos);
}

}  // namespace
}  // namespace tidy
