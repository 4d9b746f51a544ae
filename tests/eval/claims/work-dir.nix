# Work directories: emptied at every start, so these claims guard data.
{
  lib,
  host,
  runner,
  ...
}:

let
  failures =
    workDir:
    (host {
      runners.one = runner // {
        inherit workDir;
      };
    }).failures;

  # The directories that are not refused for this reason.
  missed =
    fault:
    lib.filter (
      workDir:
      let
        messages = failures workDir;
      in
      builtins.length messages != 1 || !lib.hasInfix fault (builtins.head messages)
    );
  none = actual: {
    expected = [ ];
    inherit actual;
  };
in
{
  "a work directory that overlaps the state, the logs or the ledger is refused" = none (
    missed "overlaps" [
      "/var/lib/github-runner"
      "/var/lib/github-runner/one"
      "/var/lib/github-runner/one/work"
      "/var/lib/private"
      "/var/lib/private/github-runner/one"
      "/var/log/github-runner/one"
      "/var/log/private/github-runner/one/x"
      "/var/lib/github-runner-registrations"
      "/var/lib/github-runner-registrations/x"
      "//var/./lib//github-runner/one/"
      "%S/github-runner/one"
      "%L/github-runner/one"
    ]
  );

  "a work directory that is or contains a system directory is refused" = none (
    missed "directory of the system" [
      "/"
      "/bin"
      "/boot"
      "/dev"
      "/etc"
      "/home"
      "/nix"
      "/nix/store"
      "/nix/var"
      "/proc"
      "/root"
      "/run"
      "/srv"
      "/sys"
      "/tmp"
      "/usr"
      "/var"
      "/var/"
      "/var/cache"
      "/var/lib"
      "/var/log"
      "/var/tmp"
      "%S"
      "%t"
      "%T/"
      "%h"
    ]
  );

  "a relative work directory is refused" = none (
    missed "not absolute" [
      "work"
      "./work"
      "%%/work"
    ]
  );

  "a work directory with dots is refused" = none (
    missed "holds `..`" [ "/srv/jobs/../../var/lib/github-runner/one" ]
  );

  "a work directory that systemd reads in two ways is refused" = none (
    missed "holds a quote" [
      "/srv/wo\"rk"
      "/srv/wo'rk"
      "/srv/wo\\rk"
      "/srv/wo\nrk"
      "/srv/work "
    ]
  );

  "ordinary work directories are accepted" = none (
    lib.concatMap failures [
      null
      "/var/lib/gh-work"
      "/var/lib/github-runner-work/one"
      "/var/lib/github-runner/other-work"
      "/var/cache/runner"
      "/var/library"
      "/home/ci/work"
      "/run/github-runner/one"
      "/tmp/work"
      "/srv/my work"
      "/srv/größe"
      "%C/runner"
    ]
  );
}
