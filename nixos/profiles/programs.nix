# Programs and hooks of jobs. A pure function over values and packages.
{ lib, pkgs }:

let
  # What GitHub's own images have for every workflow, beside what each runner has anyhow; languages
  # have actions of their own.
  hosted = [
    pkgs.openssh
    pkgs.curl
    pkgs.wget
    pkgs.rsync
    pkgs.zip
    pkgs.unzip
    pkgs.bzip2
    pkgs.xz
    pkgs.zstd
    pkgs.jq
    pkgs.gawk
    pkgs.gnupatch
    pkgs.diffutils
    pkgs.file
    pkgs.which
    pkgs.procps
    pkgs.util-linux
    pkgs.gnumake
    pkgs.python3
  ];

  # A file of its own, because the runner knows by the ending how to run it, and refuses others.
  scriptOf =
    runner: moment: text:
    pkgs.writeTextFile {
      name = "github-runner-${runner.pool}-${moment}.sh";
      text = "#!${pkgs.bashInteractive}/bin/bash\n${text}";
      executable = true;
      checkPhase = ''${pkgs.stdenv.shellDryRun} "$target"'';
    };
in
runner:

let
  inherit (runner.hooks) jobCompleted jobStarted;
in
{
  last = lib.optionals (runner.programs == "hosted") hosted;
  environment =
    lib.optionalAttrs (jobStarted != null) {
      ACTIONS_RUNNER_HOOK_JOB_STARTED = "${scriptOf runner "job-started" jobStarted}";
    }
    // lib.optionalAttrs (jobCompleted != null) {
      ACTIONS_RUNNER_HOOK_JOB_COMPLETED = "${scriptOf runner "job-completed" jobCompleted}";
    };
}
