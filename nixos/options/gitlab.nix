# The options of machines for jobs of GitLab: what is in the settings file, with the names that it
# has for them. See docs/gitlab.md.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
  size = types.strMatching "[0-9]{1,15}[KMGT%]?";
in
{
  options.services.gitlab-nspawn = {
    enable = mkEnableOption ''
      jobs of GitLab in systemd-nspawn machines of their own. This makes a socket, at which members of the group `gitlab-nspawn` get
      machines, and puts the unit of {option}`services.gitlab-runner` into the group; restart that once if it ran before, because a
      switch only reloads it. No runner is registered by this: see {option}`services.gitlab-nspawn.runner`'';

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../packages/gitlab-nspawn-executor.nix { };
      defaultText = literalExpression "pkgs.callPackage ./nixos/packages/gitlab-nspawn-executor.nix { }";
      description = ''
        Package of the program that is the executor's driver, the supervisor of machines, and the agent in them. Jobs that run keep
        the one that they began with. Replace it to try a patched version.
      '';
    };

    defaultImage = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "debian";
      description = ''
        Image of jobs that name none, one of {option}`services.ci-machines.images`. With `null` such a job fails, and its log has
        the list of images.
      '';
    };

    grace = mkOption {
      type = types.ints.between 1 600;
      default = 20;
      description = ''
        Seconds from SIGTERM to SIGKILL for a script that is cancelled. Changing this registers runners anew that use
        {option}`services.gitlab-nspawn.runner`, because gitlab-runner has to wait longer.
      '';
    };

    limits = {
      memory = mkOption {
        type = types.nullOr size;
        default = null;
        example = "4G";
        description = ''
          Memory of one machine (`MemoryMax=`), with what {option}`services.gitlab-nspawn.limits.tmpfs` keeps in memory. A job
          that takes more is killed and fails. `null` sets no limit, so one job can take all memory of the host.
        '';
      };

      tasks = mkOption {
        type = types.ints.positive;
        default = 16384;
        description = ''
          Processes and threads of one machine (`TasksMax=`). Above it a job cannot start another one.
        '';
      };

      cpuWeight = mkOption {
        type = types.nullOr (types.ints.between 1 10000);
        default = null;
        example = 20;
        description = ''
          Share of one machine in the processors, as long as there is not enough for all machines (`CPUWeight=`). `null` leaves it
          at systemd's 100.
        '';
      };

      ioWeight = mkOption {
        type = types.nullOr (types.ints.between 1 10000);
        default = null;
        example = 20;
        description = ''
          Share of one machine in the disks, as long as there is not enough for all machines (`IOWeight=`). `null` leaves it at
          systemd's 100.
        '';
      };

      tmpfs = mkOption {
        type = types.nullOr size;
        default = null;
        example = "8G";
        description = ''
          Keep what jobs write in memory, up to this size for each machine. A job that writes more gets "no space left". `null`
          keeps it below {file}`/var/lib/gitlab-nspawn`, where one job can fill the disk: give that a file system of its own.
        '';
      };
    };

    network = {
      mode = mkOption {
        type = types.enum [
          "private"
          "none"
          "host"
        ];
        default = "private";
        description = ''
          What machines reach. `private`: an interface of their own, with addresses that the host translates; the host forwards
          packets then (`net.ipv4.ip_forward`), and its own addresses are closed to jobs. `none`: loopback only, so jobs get
          no sources and no artifacts. `host`: the network of the host, where **services on the host's loopback are open to jobs**.
        '';
      };

      hostPorts =
        let
          ports =
            protocol:
            mkOption {
              type = types.listOf types.port;
              default = [ ];
              example = [ 8080 ];
              description = ''
                Ports of ${protocol} of the host that machines with a private network may reach. All jobs reach what listens there. A
                firewall of the host has to let them in as well: their interfaces are called `glnspawn` and a number.
              '';
            };
        in
        {
          tcp = ports "TCP";
          udp = ports "UDP";
        };

      resolvers = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "192.0.2.53" ];
        description = ''
          Addresses of name servers for machines. Without any they get those of the host that are not on its loopback; if all
          of them are, jobs look up no name.
        '';
      };
    };

    devices = mkOption {
      type = types.listOf (types.strMatching "/dev/[A-Za-z0-9./_+@=-]+");
      default = [ ];
      example = [ "/dev/kvm" ];
      description = ''
        Nodes of devices that machines have beside the usual ones. All jobs may read and write them, and every fault of such a
        device's driver is open to jobs.
      '';
    };

    cache = mkOption {
      type = types.nullOr (
        types.submodule {
          options = {
            directory = mkOption {
              type = types.path;
              default = "/var/cache/gitlab-nspawn";
              description = ''
                Directory of all caches. It is made for root alone, on ext4, xfs, btrfs or tmpfs. With another one the caches in the
                former one stay there, unused.
              '';
            };

            limit = mkOption {
              type = types.ints.positive;
              example = 10000000000;
              description = ''
                Bytes of one project's cache. A cache with more is emptied when a job begins or ends, so the next job has none.
              '';
            };
          };
        }
      );
      default = null;
      example = {
        limit = 10000000000;
      };
      description = ''
        Where `cache:` of jobs outlives machines: a directory for each project, and another one for its protected branches and
        tags. **Jobs of a project on branches that are not protected can leave something there for each other.** `null` keeps nothing,
        so `cache:` needs a distributed store.
      '';
    };

    gitlabRunner = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/gitlab-nspawn-images/gitlab-runner";
      description = ''
        A static `gitlab-runner` that is put into machines of images without one. That of nixpkgs needs its libraries
        in the store, and works in a {option}`services.ci-machines.images.<name>.system` only, where `nixosModules.ci-image` has it. Without
        one GitLab shows a yellow line, and artifacts and caches are lost.
      '';
    };

    uidBase = mkOption {
      type = types.ints.between 65536 2147287040;
      default = 1879048192;
      description = ''
        First user id of all machines, a multiple of 65536. The ranges of caches and of {option}`services.gitlab-nspawn.slots` machines
        follow each other from there, and nobody else may have these ids. Changing this makes caches unreadable for jobs: remove
        their directory then.
      '';
    };

    slots = mkOption {
      type = types.ints.between 1 1024;
      default = 256;
      description = ''
        How many machines there are at a time. A job above it is tried three times and fails as a system failure, so `limit` and
        `concurrent` of gitlab-runner should be lower.
      '';
    };

    runner = mkOption {
      type = types.attrs;
      readOnly = true;
      default = import ../frontends/gitlab-runner.nix { inherit lib; } config.services.gitlab-nspawn;
      defaultText = literalExpression "# executor and registrationFlags";
      example = literalExpression ''
        lib.mkMerge [
          config.services.gitlab-nspawn.runner
          { authenticationTokenConfigFile = "/run/secrets/gitlab-runner"; }
        ]
      '';
      description = ''
        For an entry of {option}`services.gitlab-runner.services`: the executor, and flags that name this one's driver. The paths in them
        never change, because nixpkgs' module registers a runner anew when a flag changes, while jobs run.
      '';
    };
  };
}
