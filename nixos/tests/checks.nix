# What `nix flake check` builds. The tests themselves live elsewhere: Cargo's with
# the sources, the claims about the module in tests/eval, and what needs a booted
# systemd in the program `runner-scenarios`, which the machines here only start.
{ pkgs }:

let
  inherit (pkgs) lib;
  helper = pkgs.callPackage ../packages/helper.nix { };
  runnerctl = pkgs.callPackage ../packages/runnerctl.nix { };
  standIns = pkgs.callPackage ../packages/stand-ins.nix { github-runnerctl = runnerctl; };

  # A Cargo command that must succeed on the sources.
  cargoCheck =
    name: tools: command:
    runnerctl.overrideAttrs (package: {
      pname = "github-runners-${name}";
      nativeBuildInputs = package.nativeBuildInputs ++ tools;
      buildPhase = command;
      doCheck = false;
      installPhase = "touch $out";
    });

  # The runners that the containers of tests/machine have, too.
  runners = lib.importJSON ../../tests/machine/runners.json;
  scenarioMachine =
    { config, ... }:
    {
      imports = [ ../. ];
      services.github-runners = builtins.mapAttrs (
        _: runner:
        runner
        // {
          package = pkgs.callPackage ../packages/stand-in-listener.nix {
            inherit standIns;
            # Written by the scenarios, as is the certificate of their GitHub.
            script = "/run/stand-in/listener.json";
          };
          extraEnvironment = {
            SSL_CERT_FILE = "/run/stand-in/ca.pem";
          }
          // runner.extraEnvironment or { };
        }
      ) runners;
      networking.hosts."127.0.0.1" = [ "api.github.com" ];
      # For the runner with hosts of its own.
      environment.etc."hosts-inside".source = config.environment.etc.hosts.source;
      # The scenarios start them, when the tokens are there.
      systemd.services =
        lib.genAttrs
          (
            [ "github-runner-reconcile" ]
            ++ lib.concatMap (
              entry:
              map (instance: "github-runner-${instance}") (
                builtins.attrNames (
                  import ../instances.nix {
                    inherit lib;
                    passes = true;
                  } entry config.services.github-runners.${entry} config.networking.hostName
                )
              )
            ) (builtins.attrNames runners)
          )
          (_: {
            wantedBy = lib.mkForce [ ];
          });
      systemd.timers.github-runner-reconcile.wantedBy = lib.mkForce [ ];
      users.users.gh-runner = {
        isSystemUser = true;
        group = "gh-runner";
      };
      users.groups.gh-runner = { };
    };

  evaluation = import ../../tests/eval { inherit lib; };
in
{
  # With all of Cargo's tests.
  inherit runnerctl;
  inherit helper;

  clippy = cargoCheck "clippy" [
    pkgs.clippy
  ] "cargo clippy --offline --all-targets -- --deny warnings";
  fmt = cargoCheck "fmt" [ pkgs.rustfmt ] "cargo fmt --check";

  # The same claims as without nixpkgs, with the library of nixpkgs.
  eval =
    if evaluation.failed == 0 then
      pkgs.writeText "evaluation-tests" evaluation.report
    else
      throw evaluation.report;

  # Every option as nixpkgs' own manual would show it, which fails where a description is missing.
  options =
    (pkgs.nixosOptionsDoc {
      options.services = {
        inherit ((pkgs.nixos ../.).options.services)
          ci-machines
          garm-fleet
          github-runner-on-demand
          github-runnerctl
          github-runners
          gitlab-nspawn
          ;
      };
    }).optionsCommonMark;

  # The file of figures, read by those who have to read it, and what is made of it.
  metrics =
    pkgs.runCommand "metrics-tests"
      {
        nativeBuildInputs = [
          (pkgs.python3.withPackages (python: [ python.prometheus-client ]))
          pkgs.prometheus-node-exporter
          # Of which only promtool is run.
          pkgs.prometheus.cli
        ];
      }
      ''
        python3 ${
          lib.fileset.toSource {
            root = ../../.;
            fileset = lib.fileset.unions [
              ../../examples/monitoring
              ../../tests/fixtures/github-runners.prom
              ../../tests/metrics
              ../../tests/support/times.rs
            ];
          }
        }/tests/metrics/run | tee $out
      '';

  # With the real module system, a real package set and a real boot.
  demo = pkgs.testers.runNixOSTest {
    name = "demo";
    nodes.machine = ./demo.nix;
    testScript = ''
      machine.wait_for_unit("github-runner-demo.service")

      with subtest("the registration is remembered out of reach of jobs"):
          machine.succeed("test -s /var/lib/github-runner-registrations/demo.json")
          machine.succeed("test $(stat --format=%a:%U /var/lib/github-runner-registrations) = 700:root")

      with subtest("a restart keeps the registration"):
          before = machine.succeed("cat /var/lib/github-runner/demo/.runner")
          machine.succeed("systemctl restart github-runner-demo.service")
          machine.wait_for_unit("github-runner-demo.service")
          assert before == machine.succeed("cat /var/lib/github-runner/demo/.runner")
    '';
  };

  # With nixpkgs' gitlab-runner and its module. The store of such a test machine takes no other user ids, so files of
  # it belong to nobody in the jobs' machines; on a disk of its own it does.
  gitlab = pkgs.testers.runNixOSTest {
    name = "gitlab";
    nodes.machine = ./gitlab.nix;
    testScript = ''
      said = "journalctl --output cat --unit stand-in-gitlab.service"

      with subtest("a job is root in a machine of its own, with all that stages need"):
          machine.wait_until_succeeds(f"{said} | grep 'Job 1 ended: success 0'")
          machine.succeed(f"{said} | grep --fixed-strings --line-regexp /run/current-system/sw/bin/gitlab-runner")
          machine.succeed(f"{said} | grep --extended-regexp '^ +0 +18[0-9]{{8}} +65536$'")

      with subtest("a script's own exit code reaches GitLab"):
          machine.wait_until_succeeds(f"{said} | grep 'Job 2 ended: failed 42 script_failure'")

      with subtest("nothing is left of the jobs"):
          machine.wait_until_succeeds("test -z \"$(ls /run/gitlab-nspawn/jobs /var/lib/gitlab-nspawn/jobs)\"")
          machine.wait_until_succeeds("test -z \"$(systemctl list-units --plain --no-legend 'gitlab-nspawn@*')\"")

      with subtest("the runner's configuration names no path that changes"):
          machine.fail("grep /nix/store /var/lib/gitlab-runner/.gitlab-runner/config.toml")
    '';
  };

  # Orders in machines need an image of Debian, which the containers of tests/machine have.
  on-demand = pkgs.testers.runNixOSTest {
    name = "on-demand";
    nodes.machine = ./on-demand.nix;
    testScript = ''
      machine.wait_for_unit("multi-user.target")
      for scenario in ["of_this_host", "strangers", "operator", "desk_that_is_killed", "time_is_over"]:
          machine.succeed(
              f"runner-scenarios --stand-ins ${standIns}/bin --part on-demand --only {scenario} >&2"
          )

      with subtest("nginx reaches the door"):
          ask = "curl --fail --silent --header 'Host: ci.example.org' http://127.0.0.1/v1/status"
          assert "classes" in machine.succeed(ask)

      with subtest("nobody else reaches it"):
          machine.fail("runuser -u nobody -- curl --fail --unix-socket /run/github-runner-door/http.sock http://ci.example.org/")
    '';
  };

  # With nixpkgs' Incus and its module.
  garm-fleet = pkgs.testers.runNixOSTest {
    name = "garm-fleet";
    nodes = {
      machine = ./garm-fleet.nix;
      web = ./garm-nginx.nix;
    };
    testScript = ''
      with subtest("guests reach metadata and callbacks, GitHub reaches webhooks, and nobody reaches anything else"):
          web.wait_for_unit("garm.service")
          web.wait_for_unit("nginx.service")
          guests = "curl --fail --silent http://192.0.2.10:8080"
          public = "curl --fail --silent --header 'Host: garm.example.org' http://127.0.0.1"
          for path in ["/api/v1/metadata/install-script/", "/api/v1/callbacks/status"]:
              web.succeed(guests + path)
              web.fail(public + path)
          for path in ["/webhooks", "/webhooks/1"]:
              web.succeed(public + path)
              web.fail(guests + path)
          for path in ["/", "/api/v1/pools", "/api/v1/auth/login", "/api/v1/metadata/../pools"]:
              web.fail(guests.replace("--fail", "--fail --path-as-is") + path)
              web.fail(public + path)

      machine.wait_for_unit("multi-user.target")
      machine.succeed("garm-fleet-claims >&2")
    '';
  };

  scenarios = pkgs.testers.runNixOSTest {
    name = "scenarios";
    nodes.machine = scenarioMachine;
    testScript = ''
      machine.wait_for_unit("multi-user.target")
      # Those of fleets take units away and change the fleet file, which are in the
      # store here, and a machine that reboots loses its driver; the containers of
      # tests/machine run them.
      for part in ["runners", "faults"]:
          machine.succeed(f"${standIns}/bin/runner-scenarios --stand-ins ${standIns}/bin --part {part} >&2")
    '';
  };
}
