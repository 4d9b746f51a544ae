# What units are denied. Values only, by the names of systemd.exec(5).
let
  # What neither a runner nor its broker gets; the reconcile pass has exceptions.
  common = {
    # An empty first entry drops what systemd would grant or had inherited.
    AmbientCapabilities = [ "" ];
    CapabilityBoundingSet = [ "" ];
    # ProtectClock= would otherwise open the real-time clock for reading.
    DeviceAllow = [ "" ];

    DynamicUser = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateUsers = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    # The name of the host stays readable, which names a runner without a name.
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    # The default ends the process without a word, so that nobody learns why.
    SystemCallErrorNumber = "EPERM";
  };

  # A place for shared memory that nobody else sees. In the host's, RemoveIPC= has
  # PID 1 walk all that anybody put there, level by level, until it crashes.
  sharedMemory = limits: [ "/dev/shm:mode=1777,nosuid,nodev,${limits}" ];
in
{
  # A runner's unit. runner.nix gives scalars the priority of a default and puts
  # lists in front, so that `serviceOverrides` replaces the first and appends to
  # the second.
  standard = common // {
    PrivateTmp = true;
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      "AF_UNIX"
      "AF_NETLINK"
    ];
    SystemCallFilter = [
      "~@clock"
      "~@cpu-emulation"
      "~@module"
      "~@mount"
      "~@obsolete"
      "~@raw-io"
      "~@reboot"
      "~capset"
      "~setdomainname"
      "~sethostname"
    ];
    # As much as the work directory in memory, because databases in tests and data
    # loaders want more than browsers, whose half a GiB fits from 2 GiB of memory on.
    # Options are no place of specifiers, so the percent sign stays single.
    TemporaryFileSystem = sharedMemory "size=25%,nr_inodes=100k";
    UMask = "0066";

    # Stated although they restrict nothing: each one breaks common jobs when it
    # is switched on, and a reader should see that this was weighed.
    LockPersonality = false; # coverage tools switch address randomisation off
    MemoryDenyWriteExecute = false; # Node.js compiles while it runs
    PrivateNetwork = false; # a runner polls GitHub
    ProcSubset = "all"; # Nix reads /proc/stat
  };
  # The one unit that holds an API credential. All that it needs is a way to the
  # server, so it gets nothing else.
  broker = common // {
    DevicePolicy = "closed";

    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    PrivateIPC = true;
    # Apart from the host's, which is out of use while the host shuts down. systemd
    # before 257 does not know the word and does as a dynamic user makes it.
    PrivateTmp = "disconnected";
    ProcSubset = "pid";
    # The last one for the name service.
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      "AF_UNIX"
    ];
    SystemCallArchitectures = "native";
    SystemCallFilter = [
      "@system-service"
      "~@privileged"
      "~@resources"
    ];
    # It shares none.
    TemporaryFileSystem = sharedMemory "size=64k,nr_inodes=16";
    UMask = "0077";

    # No copy of the credential on disk.
    LimitCORE = 0;
    MemorySwapMax = 0;

    MemoryMax = "64M";
    TasksMax = 16;
  };

  # The pass over all runners. It is root's, because it stops units and removes what
  # they leave behind, but it speaks to systemd and to brokers only. reconcile.nix
  # says where it may write.
  reconcile =
    removeAttrs common [
      "DynamicUser"
      # Would take root's power over the files of others.
      "PrivateUsers"
      # It looks for the processes of jobs.
      "ProtectProc"
      "RemoveIPC"
      # A credential may lie there; the pass looks whether it is good.
      "ProtectHome"
      # Would hide openat2(2), without which no hostile directory is emptied.
      "RestrictSUIDSGID"
    ]
    // {
      CapabilityBoundingSet = [
        "CAP_CHOWN"
        "CAP_DAC_OVERRIDE"
        "CAP_DAC_READ_SEARCH"
        "CAP_FOWNER"
        "CAP_KILL"
        "CAP_SYS_PTRACE"
      ];
      DevicePolicy = "closed";
      LockPersonality = true;
      MemoryDenyWriteExecute = true;
      PrivateNetwork = true;
      ProtectHome = "read-only";
      RestrictAddressFamilies = [ "AF_UNIX" ];
      SystemCallArchitectures = "native";
      SystemCallFilter = [ "@system-service" ];
    };
}
