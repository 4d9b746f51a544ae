# What an entry of `services.gitlab-runner.services` needs to have its jobs in machines: the executor
# of this repository, as flags of `gitlab-runner register`. A pure function.
#
# nixpkgs' module names a runner after a hash of its entry, flags included. So no flag holds a path of
# the store: with it each update of nixpkgs would register all runners anew, under running jobs.
{ lib }:

{
  # Seconds from SIGTERM to SIGKILL for a script.
  grace,
  ...
}:

let
  # Where environment.systemPackages puts it, in every generation of the host.
  driver = "/run/current-system/sw/bin/gitlab-nspawn-executor";
  # Each is one word, whether the module quotes words or not.
  flag = name: value: "--custom-${name}=${toString value}";
  step =
    name:
    map (word: flag "${name}-${word.name}" word.value) [
      (lib.nameValuePair "exec" driver)
      (lib.nameValuePair "args" name)
    ];
in
{
  executor = "custom";
  # Directories are not among them: the driver's `config` says where they are in a machine.
  registrationFlags = [
    "--shell=bash"
  ]
  ++ lib.concatMap step [
    "config"
    "prepare"
    "run"
    "cleanup"
  ]
  ++ [
    (flag "config-exec-timeout" 30)
    (flag "prepare-exec-timeout" 120)
    (flag "cleanup-exec-timeout" 120)
    # Longer than the script has, with time for the answer.
    (flag "graceful-kill-timeout" (grace + 40))
    (flag "force-kill-timeout" 10)
  ];
}
