# What jobs find on a machine that is this host: programs, and the unit that they run in.
pkgs:

{ lib, config, ... }:

let
  inherit (lib) literalExpression mkOption types;
in
{
  options = {
    extraPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = literalExpression "[ pkgs.jq ]";
      description = "Packages whose programs jobs find in `PATH`, after the ones that every runner has.";
    };

    serviceOverrides = mkOption {
      type = import ./overrides.nix { inherit lib; };
      default = { };
      example = {
        ProtectHome = false;
        RestrictAddressFamilies = [ "AF_PACKET" ];
      };
      description = ''
        Directives for the `[Service]` section of the unit; see {manpage}`systemd.exec(5)`. A value takes the place of
        the sandbox setting that this module chose, and a list is appended to it. Use `lib.mkForce` for anything else.
        Several definitions are merged by directive: their lists follow each other, and other values must be equal.
        What would make jobs root or show them secrets is refused, see {option}`trustJobsLikeRoot`.
      '';
    };

    package = lib.mkPackageOption pkgs "github-runner" { } // {
      apply = import ./runtimes.nix { inherit lib; } config.nodeRuntimes;
    };

    nodeRuntimes = mkOption {
      type = types.nonEmptyListOf (
        types.enum [
          "node20"
          "node24"
        ]
      );
      default = [ "node24" ];
      description = ''
        Versions of Node.js with which {option}`package` can run JavaScript actions. A package that has them as it is stays
        as it is, and so does one that cannot be built with them; another one is built anew.
      '';
    };

    exposeSystemServices = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether jobs can speak to the system bus, to the other services of systemd below `/run/systemd`, and to the
        manager of their user below `/run/user`, as far as `ProtectHome` in {option}`serviceOverrides` lets them.
        Rootless Podman with cgroups and `systemctl` need that.

        **Jobs of a static {option}`user` can then leave processes to the jobs after them**: what they start with
        `loginctl enable-linger` and `systemd-run --user` outlives the job, the cycle of an ephemeral runner, and the stop
        of the unit. Looking up names and users and writing to the journal work in any case.
      '';
    };

    trustJobsLikeRoot = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether each job of this runner is trusted with what root may do and know. **Anybody who can change a workflow may
        then own the host, its secrets and its other runners.** When this is off, whatever would make jobs root or show them
        secrets is refused: overrides of the unit that do so, a user that runs several runners with {option}`ephemeral`, and a
        file of {option}`tokenFile` or {option}`githubApp` that the unit's user could read or exchange. When it is on, all of
        that is accepted.
      '';
    };
  };
}
