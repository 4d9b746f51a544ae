# The options of the module. Names, types, defaults and meaning are those of
# nixpkgs' `services.github-runners`: whatever evaluates there evaluates here.
# What is the host's has one name of its own, `services.github-runnerctl`. Faults that a
# type cannot tell apart are found in faults/entry.nix.
{ lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkOption types;

  runnerModule.imports = [
    ./options/registration.nix
    (import ./options/unit.nix pkgs)
    ./options/fleet.nix
    ./options/devices.nix
    ./options/sandbox.nix
    ./options/containers.nix
    ./options/nix-access.nix
    ./options/programs.nix
    ./options/user.nix
    ./options/trust.nix
    ./options/steps.nix
  ];
in
{
  options.services.github-runners = mkOption {
    type = types.attrsOf (types.submodule runnerModule);
    default = { };
    example = {
      runner1 = {
        enable = true;
        url = "https://github.com/owner/repository";
        tokenFile = "/run/secrets/github-runner/runner1.token";
      };
    };
    description = ''
      Self-hosted GitHub Actions runners. Each one becomes the unit `github-runner-‹name›.service`, with the broker that
      speaks to GitHub for it behind `github-runner-broker-‹name›.socket`. With {option}`count` or {option}`orgs` an entry
      makes several of them, in `github-runners-‹name›.slice` together.
    '';
  };

  options.services.github-runnerctl.helper.package = mkOption {
    type = types.package;
    default = pkgs.callPackage ./packages/helper.nix { };
    defaultText = literalExpression "pkgs.callPackage ./nixos/packages/helper.nix { }";
    description = ''
      Package of the program that units run before the runner: it registers the runner, or finds that the registration
      still holds. Replace it to try a patched version.
    '';
  };

  options.services.github-runnerctl.package = mkOption {
    type = types.package;
    default = pkgs.callPackage ./packages/runnerctl.nix { };
    defaultText = literalExpression "pkgs.callPackage ./nixos/packages/runnerctl.nix { }";
    description = ''
      Package of the program that speaks to GitHub: the brokers run it, and it is in `PATH` for operators of the host.
      It must come from the same release as {option}`services.github-runnerctl.helper.package`. Replace it to try a patched
      version.
    '';
  };

  options.services.github-runnerctl.reconcile = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether this host makes passes by itself: at boot, at each switch and by a timer. When this is off, there is neither
        `github-runner-reconcile.service` nor its timer. `github-runnerctl reconcile`, run by root, makes a pass.

        **Until somebody makes one, nobody looks after runners that are not configured any more.** Those that run go on
        running. Their registrations stay listed at GitHub, and their directories on the host. Debts of other runners are
        paid at their next start. Runners that GitHub lists as offline are not restarted, and figures for metrics stay as they
        are. `github-runnerctl doctor` says that passes are off, and `status` says what waits for one.

        A {option}`restartPolicy` of `null` then stands for `immediate`, because nobody waits for a moment without a job. So
        the switch that turns this off restarts such runners, and running jobs fail. With another policy a changed runner
        waits for a pass, or for its next start.
      '';
    };

    interval = mkOption {
      type = types.str;
      default = "1min";
      example = "5min";
      description = ''
        Time between two passes of `github-runner-reconcile.service`, as {manpage}`systemd.time(7)` writes it. A pass restarts
        and stops idle runners whose configuration changed, takes registrations back that nobody needs any more, and cleans
        up after runners that are gone. With a longer time all this waits longer; a switch starts a pass in any case.
      '';
    };

    jitter = mkOption {
      type = types.str;
      default = "10s";
      example = "1min";
      description = ''
        By how much a pass may be late, at random, so that the hosts of a fleet do not ask GitHub all at once.
      '';
    };

    deleteUnknownOffline = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether a pass deletes runners on GitHub that have been offline for ten minutes, are not in the ledger of this host, and
        are called like one of its entries, alone or with a dash and anything behind it: `builder`, `builder-7`, but also
        `builder-gpu`. **If another host has runners of such names, it loses the ones that are offline.** When this is off, a
        pass only says that they are there.
      '';
    };
  };

  options.services.github-runnerctl.metrics.textfileDirectory = mkOption {
    type = types.nullOr types.path;
    default = null;
    example = "/var/lib/node-exporter-textfiles";
    description = ''
      Directory into which each pass writes figures about the runners, for the textfile collector of Prometheus' node
      exporter. It has to exist: this module does not create it, because the exporter's configuration owns it. `null` writes
      none.
    '';
  };
}
