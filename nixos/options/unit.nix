# What a runner is on its machine: the program, the unit, and what jobs find.
pkgs:

{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  imports = [ (import ./jobs.nix pkgs) ];

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

    workDirMode = mkOption {
      type = types.strMatching "0?7[0-7][0-7]";
      default = "0700";
      example = "0750";
      description = ''
        Mode of the work directory, also of the default one, set at every start together with its owner; access lists are
        removed. With rights for the group or for others, their processes can read what jobs work with, tokens in checkouts
        included, and with the right to write they can change what the next job runs.
      '';
    };

    extraEnvironment = mkOption {
      type = types.attrs;
      default = { };
      example = {
        GIT_CONFIG = "/path/to/git/config";
      };
      description = ''
        Environment variables of the runner and of its jobs. They win over the ones that this module sets, also over
        those of {option}`networking.proxy`, except for `RUNNER_ROOT`, which cannot be changed. Variables for proxies and
        certificates reach the broker, too. The values end up in the store, so put no secret here; what looks like a
        token of GitHub or a private key is refused.
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

    minFreeSpace = mkOption {
      type = types.nullOr (types.either types.ints.positive (types.strMatching "[1-9][0-9]*[KMGT]?"));
      default = null;
      example = "20G";
      description = ''
        How much room the file systems of work and state directory must have left for the runner to be offered to GitHub, in
        bytes or with a suffix. A start removes what it removes anyway and then looks. With less room it stops there, before it
        asks GitHub for anything: the registration stays, and the unit tries again by itself, as after other failures.
        The journal, `status` and `doctor` say which directory has how much.

        Only starts look. An {option}`ephemeral` runner starts before each job; a persistent one goes on until its next start.
        Without {option}`workDir` it has to be less than {option}`workDirSize`. `null` asks for none.
      '';
    };

    user = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "github-runner";
      description = ''
        Existing user that runs the unit and its jobs. `null` stands for a user that systemd allocates for the time
        that the unit runs (`DynamicUser=`).

        Runners that share a user read each other's keys: that is warned of, and refused if one of them is
        {option}`ephemeral`. With `root` every job owns the host.
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

    logs = {
      maxAge = mkOption {
        type = types.ints.positive;
        default = 30;
        example = 7;
        description = ''
          For how many days the listener's logs are kept in `/var/log/github-runner/‹name›`. Older ones are removed at the
          next start or end of the runner.
        '';
      };

      maxSize = mkOption {
        type = types.ints.positive;
        default = 128;
        example = 1024;
        description = ''
          How many MiB of the listener's logs are kept for each runner; the oldest ones go first. One run, whose logs its
          jobs can write, fills at most a quarter of it: what is larger is cut or left out.
        '';
      };
    };
  };
}
