# The engine of containers beside a runner: podman as the runner's user, behind a socket of that user. What
# rootless containers need open is open here and not in the runner's unit; all else that shapes what jobs
# see and do is taken from there, so that an override holds for both. A pure function.
{
  lib,
  pkgs,
}:

let
  inherit (import ./order.nix { inherit lib; }) yielding;
  inherit (import ./syntax.nix) literal;
  names = import ./containers-names.nix;

  # It reads this file alone, so that none of the job's has a say.
  settings = pkgs.writeText "github-runner-containers.conf" ''
    [containers]
    # What containers write is their job's and not the host's journal's.
    log_driver = "k8s-file"
    [engine]
    cgroup_manager = "cgroupfs"
    events_logger = "file"
  '';

  # What is the same as in the runner's unit, by how its directives begin. Of the others most are when and
  # how that one runs.
  beginnings = [
    "Bind"
    "CPU"
    "IO"
    "IP"
    "Limit"
    "Memory"
    "NetworkNamespacePath"
    "Private"
    "Proc"
    "Protect"
    "Restrict"
    "Socket"
  ];
  exact = [
    "DevicePolicy"
    "ExecPaths"
    "Group"
    "InaccessiblePaths"
    "LockPersonality"
    "NoExecPaths"
    "OOMPolicy"
    "ReadOnlyPaths"
    "ReadWritePaths"
    "RemoveIPC"
    "Slice"
    "SupplementaryGroups"
    "TasksMax"
    "TemporaryFileSystem"
    "UMask"
    "User"
  ];
  # Each was seen to keep rootless containers from starting, alone and beside the others. Filters of system
  # calls and NoNewPrivileges are not in the lists above.
  relaxed = [
    "PrivateUsers"
    "ProtectHostname"
    "ProtectKernelLogs"
    "ProtectKernelTunables"
    "RestrictNamespaces"
    "RestrictSUIDSGID"
  ];
  isShared =
    directive:
    (builtins.elem directive exact || lib.any (beginning: lib.hasPrefix beginning directive) beginnings)
    && !builtins.elem directive relaxed;
in
{
  inherit settings;

  # The runner, its unit as the whole configuration makes it, and what of its variables is how the network is reached.
  units =
    {
      instance,
      runner,
      final,
      environment,
    }:
    let
      owner = "github-runner-${instance}.service";
      # It ends whenever the runner's unit does, in whatever way; `PartOf=` alone acts when somebody stops that.
      bound = {
        PartOf = owner;
        StopPropagatedFrom = owner;
        X-StopOnRemoval = yielding false;
      };

      # Private and new for each run of the runner; podman takes it for a host that has just booted.
      home = "/var/tmp/containers";
      # Of each address and user one of its own: what jobs for others left is handed to no job. The directory above it is root's.
      scope = builtins.substring 0 12 (
        builtins.hashString "sha256" "${runner.url} ${toString final.serviceConfig.User}"
      );
      directory = "${names.directory}/${instance}/${scope}";
      storage = if runner.containers.keepImages then "%S/${directory}/storage" else "${home}/storage";

      given = directive: lib.toList (final.serviceConfig.${directive} or [ ]);
      # The servers of names of containers would be started by systemd, if there were one.
      systemd = "/run/systemd";
      isHidden = builtins.elem "${systemd}:ro" (given "TemporaryFileSystem");
      podman = "${pkgs.podman}/bin/podman --root=${storage} --runroot=${home}/run --tmpdir=${home}/tmp";
      # What a job spoiled may never answer.
      limited = "${pkgs.coreutils}/bin/timeout 60 ";
      removal = "${limited}${podman} rm --all --force --time=0 --volumes > /dev/null && ${limited}${podman} network prune --force > /dev/null";
      # From beside it, because an engine whose own files are spoiled does not start.
      reset = "${limited}${pkgs.podman}/bin/podman --root=${home}/none --runroot=${home}/run --tmpdir=${home}/tmp unshare ${pkgs.coreutils}/bin/rm -rf ${storage} ${home}/run";
      shell = line: "${pkgs.bashInteractive}/bin/sh -c \"${line}\"";
    in
    {
      service = {
        description = "Containers of jobs of a GitHub Actions runner";
        before = [ owner ];
        path = [
          # newuidmap has to have its setuid bit.
          "/run/wrappers"
          pkgs.podman
        ];
        environment = environment // {
          CONTAINERS_CONF = "${settings}";
          HOME = home;
          XDG_RUNTIME_DIR = "${home}/runtime";
        };
        unitConfig = bound // {
          # The private /tmp of both is one.
          JoinsNamespaceOf = owner;
          # A job that kills it gets it back, however often; how often a socket may start it has a limit of its own.
          StartLimitIntervalSec = 0;
        };
        serviceConfig =
          lib.filterAttrs (directive: _: isShared directive) final.serviceConfig
          // {
            Type = "exec";
            ExecStartPre = [
              # What names processes of an engine that crashed.
              "-${pkgs.coreutils}/bin/rm -rf ${home}/runtime ${home}/tmp"
              "${pkgs.coreutils}/bin/mkdir -p -m 0700 ${home}/runtime"
            ];
            # First what is left of one that crashed, or whose host did.
            ExecStart = shell "{ ${removal}; } || { echo Removing all that is kept, because containers of former jobs cannot be removed; ${reset}; ${removal}; } && exec ${podman} system service --time=0";
            ExecStopPost = "-${shell removal}";
            # Then all processes at once: first ones of containers take no heed of signals.
            KillMode = "mixed";
            TimeoutStopSec = "10s";
            Delegate = true;

            # What newuidmap, which starts as root, needs of root's rights.
            CapabilityBoundingSet = [
              "CAP_DAC_OVERRIDE"
              "CAP_SETGID"
              "CAP_SETUID"
              "CAP_SYS_ADMIN"
              "CAP_SYS_PTRACE"
            ];
            AmbientCapabilities = [ "" ];
            # For the network of containers.
            BindPaths = given "BindPaths" ++ [ "-/dev/net/tun" ];
            DeviceAllow = given "DeviceAllow" ++ [ "/dev/net/tun rw" ];

            TemporaryFileSystem = given "TemporaryFileSystem" ++ lib.optional (!isHidden) "${systemd}:ro";
            BindReadOnlyPaths =
              lib.subtractLists [ "-${systemd}/system" ] (given "BindReadOnlyPaths")
              ++ lib.optionals (!isHidden) (
                map (directory: "-${systemd}/${directory}") [
                  "journal"
                  "resolve"
                  "userdb"
                ]
              );
          }
          // lib.optionalAttrs runner.containers.keepImages {
            StateDirectory = directory;
            StateDirectoryMode = "0700";
          }
          // lib.optionalAttrs (runner.workDir == null) {
            ReadWritePaths = given "ReadWritePaths" ++ [ "-/run/github-runner/${instance}" ];
          };
        restartIfChanged = yielding false;
      };

      socket = {
        description = "Socket of containers of jobs of a GitHub Actions runner";
        unitConfig = bound;
        listenStreams = [ (names.path instance) ];
        socketConfig = {
          SocketMode = "0600";
          SocketUser = literal (toString final.serviceConfig.User);
          DirectoryMode = "0755";
          RemoveOnStop = true;
          # What the last job of a cycle asked for is not done in the next one.
          FlushPending = true;
          # Or one that kills the engine again and again has none for the jobs after it.
          TriggerLimitIntervalSec = 0;
        };
      };
    };
}
