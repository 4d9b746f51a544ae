# Hooks that fail every job, or that nobody would run. A pure function over values.
{ lib }:

{ tell, ... }:

{ runner, unit, ... }:

let
  hooks = {
    ACTIONS_RUNNER_HOOK_JOB_STARTED = "jobStarted";
    ACTIONS_RUNNER_HOOK_JOB_COMPLETED = "jobCompleted";
  };

  faultsOf =
    variable: option:
    let
      value = unit.environment.${variable} or null;
      # Compared and shown, so that nothing of it has to be built.
      text = if value == null then "" else builtins.unsafeDiscardStringContext (toString value);
      isGood = builtins.match "[/%].*\\.(sh|js|ps1)" text != null;
    in
    if runner.hooks.${option} != null && runner.extraEnvironment ? ${variable} then
      tell true "`hooks.${option}` and `${variable}` in `extraEnvironment` are two hooks for one moment, and a runner has only one. Put both into `hooks.${option}`."
    else
      tell (text != "" && !isGood)
        "the variable `${variable}` (${text}) is no absolute path that ends in `.sh`, `.js` or `.ps1`, so the runner would fail every job. Use `hooks.${option}`, or give the file such a name.";
in
lib.concatLists (lib.mapAttrsToList faultsOf hooks)
