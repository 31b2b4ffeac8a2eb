// How ids and numbers are written in traces and golden files. Pure.
#pragma once

#include <string>

#include "base/ids.h"

namespace raft {

/// Small ids (tests, golden files) in decimal, random ones as sixteen hex digits.
inline std::string show(base::MemberId id) {
  return id.value < 1'000'000 ? std::to_string(id.value) : base::to_hex(id.value);
}
inline std::string show(base::Term term) {
  return std::to_string(term.value);
}
inline std::string show(base::Index index) {
  return std::to_string(index.value);
}
inline std::string show(base::Ordinal ordinal) {
  return std::to_string(ordinal.epoch) + "." + std::to_string(ordinal.counter);
}

}  // namespace raft
