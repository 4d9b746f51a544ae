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
  "a work directory that overlaps those of any runner, broker or ledger is refused" = none (
    missed "overlaps" [
      "/var/lib/github-runner/other"
      "/var/lib/github-runner/other-work"
      "/var/lib/private/github-runner/other/work"
      "/var/log/github-runner"
      "/run/github-runner"
      "/run/github-runner/other"
      "/run/private/github-runner/other"
      "/run/github-runner-broker/one"
      "/run/github-runner-broker-kept"
      "%t/github-runner/other"
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

  "a work directory in a directory of the system or of secrets is refused" = none (
    missed "directory of the system or of secrets" [
      "/etc/runner"
      "/nix/store/x"
      "/run/agenix/work"
      "/run/credentials/x.service"
      "/run/keys/work"
      "/run/secrets"
      "/run/secrets.d/1/work"
      "/usr/local/work"
      "%E/runner"
    ]
  );

  "a work directory that overlaps the directory of any runner's secret is refused" =
    let
      failuresWith =
        workDir: tokenFile:
        (host {
          runners.one = runner // {
            inherit workDir;
          };
          runners.two = runner // {
            inherit tokenFile;
            name = "two";
          };
        }).failures;
    in
    {
      expected = [
        1
        1
        1
        1
        0
        0
        0
      ];
      actual =
        lib.zipListsWith
          (
            workDir: tokenFile:
            builtins.length (
              lib.filter (lib.hasInfix "of the secret `${tokenFile}`") (failuresWith workDir tokenFile)
            )
          )
          [
            "/srv/ci"
            "/srv/ci"
            "/srv/ci/work"
            "/srv/ci//./work"
            "/srv/work"
            "/persist/work"
            "/var/lib/work"
          ]
          [
            "/srv/ci/token"
            "/srv/ci/secrets/token"
            "/srv/ci/token"
            "/srv/ci/token"
            "/srv/token"
            "/persist/token"
            "/var/lib/token"
          ];
    };

  "a secret in a directory that systemd keeps for a runner is refused, and only there" =
    let
      failuresOf =
        tokenFile:
        builtins.length (
          lib.filter (lib.hasInfix "that systemd keeps for the runner `two`")
            (host {
              runners.one = runner // {
                inherit tokenFile;
              };
              runners.two = runner // {
                name = "two";
              };
            }).failures
        );
    in
    {
      expected = [
        1
        1
        1
        1
        0
        0
      ];
      actual = map failuresOf [
        "/var/lib/github-runner/two/token"
        "/var/lib//private/./github-runner/two/x/token"
        "/var/log/github-runner/two/token"
        "/run/github-runner/two/token"
        "/var/lib/github-runner/token"
        "/var/lib/github-runner/secrets/token"
      ];
    };

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
      "/var/lib/github-runners/work"
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
