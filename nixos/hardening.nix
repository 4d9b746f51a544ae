# What a runner's unit is denied. Values only, by the names of systemd.exec(5):
# service.nix gives scalars the priority of a default and puts lists in front,
# so that `serviceOverrides` replaces the first and appends to the second.
{
  standard = {
    # An empty first entry drops what systemd would grant or had inherited.
    AmbientCapabilities = [ "" ];
    CapabilityBoundingSet = [ "" ];
    # ProtectClock= would otherwise open the real-time clock for reading.
    DeviceAllow = [ "" ];

    DynamicUser = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      "AF_UNIX"
      "AF_NETLINK"
    ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
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
    UMask = "0066";

    # Stated although they restrict nothing: each one breaks common jobs when it
    # is switched on, and a reader should see that this was weighed.
    LockPersonality = false; # coverage tools switch address randomisation off
    MemoryDenyWriteExecute = false; # Node.js compiles while it runs
    PrivateNetwork = false; # a runner polls GitHub
    ProcSubset = "all"; # Nix reads /proc/stat
  };
}
