// holdfast-jepsen run: a cluster is started, called, broken, healed and judged. Main thread.
#pragma once

#include <string>

#include "jepsen/arguments.h"
#include "jepsen/check/check.h"

namespace jepsen {

/// Runs and judges; leaves history.jsonl, history.edn, keys/, calls.jsonl, logs/, index.html and
/// result.json in the folder. Exit code 0: valid; 2: the arguments make no run.
int run_one(const RunArguments& arguments);

/// "register-kill-3-1", the name of a run.
std::string name_of(const RunArguments& arguments);
/// Judges a history of ours in a folder, with what its workload must have had to check.
base::Result<Judgement> judge_folder(const std::string& folder, History& history);

}  // namespace jepsen
