// What a checker found. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jepsen/history/history.h"

namespace jepsen {

/// kUnknown: a bound of time or memory was met first. kEmpty: there was nothing to check. Only
/// kValid passes.
enum class Verdict : std::uint8_t { kValid, kInvalid, kUnknown, kEmpty };
const char* name_of(Verdict verdict);
/// Invalid beats unknown beats empty beats valid.
Verdict worse(Verdict a, Verdict b);

struct Finding {
  std::string checker;
  Verdict verdict = Verdict::kValid;
  std::string why;                     // one sentence; of a valid one: what it rests on
  std::vector<std::string> words;      // of an invalid one: the contradiction, step by step
  std::vector<std::uint32_t> witness;  // the operations that contradict each other, few
  std::uint64_t checked = 0;           // operations
};

/// "2.5031 s".
std::string seconds(std::uint64_t ns);
/// "process 3 read 7 = 101 (n2, revision 17), from 2.5030 s to 2.6110 s".
std::string describe(const History& history, const Operation& operation);

/// Makes `finding` invalid: `witness` contradict each other, and are put into words behind those
/// that are there. Returns false, for checks that stop at the first contradiction.
bool contradict(const History& history, Finding& finding, std::string why,
                std::vector<std::uint32_t> witness);

}  // namespace jepsen
