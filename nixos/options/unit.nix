# What a runner is on its machine: the program, the unit, and what jobs find.
pkgs:

{ lib, config, ... }:

let
  inherit (lib) literalExpression mkOption types;
in
{
  options = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to run this GitHub Actions runner.

        A runner executes what workflows tell it to. Anybody who can open a pull request against a public repository
        can change its workflows, so GitHub advises to use self-hosted runners with private repositories only; see
        [Self-hosted runners](https://docs.github.com/en/actions/concepts/runners/self-hosted-runners).
      '';
    };

    extraPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = literalExpression "[ pkgs.jq ]";
      description = "Packages whose programs jobs find in `PATH`, after the ones that every runner has.";
    };

    extraEnvironment = mkOption {
      type = types.attrs;
      default = { };
      example = {
        GIT_CONFIG = "/path/to/git/config";
      };
      description = ''
        Environment variables of the runner and of its jobs. They win over the ones that this module sets, except
        for `RUNNER_ROOT`, which cannot be changed. The values end up in the store, so put no secret here.
      '';
    };

    serviceOverrides = mkOption {
      type = types.attrs;
      default = { };
      example = {
        ProtectHome = false;
        RestrictAddressFamilies = [ "AF_PACKET" ];
      };
      description = ''
        Directives for the `[Service]` section of the unit; see {manpage}`systemd.exec(5)`. A value takes the place of
        the sandbox setting that this module chose, and a list is appended to it. Use `lib.mkForce` for anything else.
      '';
    };

    package = lib.mkPackageOption pkgs "github-runner" { } // {
      # The argument is younger than the package and missing from many
      # replacements of it; those run what they were built with.
      apply =
        package:
        if (lib.functionArgs (package.override or (_: package))) ? nodeRuntimes then
          package.override { inherit (config) nodeRuntimes; }
        else
          package;
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
        Versions of Node.js with which {option}`package` can run JavaScript actions. Without effect on a package that
        does not let one choose.
      '';
    };

    workDirSize = mkOption {
      type = types.either types.ints.positive (types.strMatching "[1-9][0-9]*[KMGT%]?");
      default = "25%";
      example = "8G";
      description = ''
        How much the work directory can hold as long as {option}`workDir` is `null`, in bytes, with a suffix, or as a share
        of the host's memory. Each runner has a file system of its own in memory, so a job that fills it fails and disturbs
        nobody else. It holds one file for each 4 KiB, also if they are empty, and is gone when the unit ends.

        All that is in it takes memory of the host and counts for {option}`resources`. Keep the sum for all runners below
        what the host has, or set {option}`resources.pool.memoryMax`.
      '';
    };

    user = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "github-runner";
      description = ''
        Existing user that runs the unit and its jobs. `null` stands for a user that systemd allocates for the time
        that the unit runs (`DynamicUser=`).
      '';
    };

    group = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "github-runner";
      description = ''
        Existing group that runs the unit and its jobs. `null` stands for the primary group of {option}`user`. A group
        without a user is refused, because the unit would then run as root.
      '';
    };

  };
}
