// Rules that look at one file alone: banned calls, sizes, names, marks that must not stay.
#pragma once

#include "tests/tidy/source.h"

namespace tidy {

/// In raft, kv and health: no clock, no random_device, no thread, lock, sleep, file, environment or
/// logging. Elsewhere: threads are made only in main.cc and in tests.
Complaints check_banned_calls(const Source& source);

inline constexpr std::size_t kFileLines = 800;
inline constexpr std::size_t kFunctionLines = 70;
/// Files and functions above those are refused.
Complaints check_sizes(const Source& source);

/// A header begins with a comment and has `#pragma once`; a .cc with a header of its own includes
/// it first (`has_header`).
Complaints check_form(const Source& source, bool has_header);

/// No type, namespace or file is a Manager, Helper, Util or Common.
Complaints check_names(const Source& source);

/// No note of unfinished work, no path of somebody's machine.
Complaints check_marks(const Source& source);

/// tests/<folder>/…_test.cc: the folder is a source folder, or a kind of test.
Complaints check_mirror(const Source& source, const std::vector<Source>& tree);

}  // namespace tidy
