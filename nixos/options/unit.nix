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
        Environment variables of the runner and of its jobs. They win over the ones that this module sets, also over
        those of {option}`networking.proxy`, except for `RUNNER_ROOT`, which cannot be changed. Variables for proxies and
        certificates reach the broker, too. The values end up in the store, so put no secret here; what looks like a
        token of GitHub or a private key is refused.
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
