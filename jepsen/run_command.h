// holdfast-jepsen run: a cluster is started, called, broken, healed and judged. Main thread.
#pragma once

#include <string>

#include "jepsen/arguments.h"
#include "jepsen/check/check.h"

namespace jepsen {

/// Runs and judges; leaves history.jsonl, history.edn, keys/, calls.jsonl, logs/ and index.html in
/// the folder. Errors: what kept it from beginning: kInvalidArgument, kUnavailable, kIo.
base::Status run_and_judge(const RunArguments& arguments, bool quiet, History& history,
                           Judgement& judgement);
/// The same for people. Exit code 0: valid.
int run_one(const RunArguments& arguments);

/// "register-kill-3-1", the name of a run.
std::string name_of(const RunArguments& arguments);
/// Judges a history of ours in a folder, with what its workload must have had to check.
base::Result<Judgement> judge_folder(const std::string& folder, History& history);

}  // namespace jepsen
