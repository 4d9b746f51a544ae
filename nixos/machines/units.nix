# The units behind machines for jobs of GitLab: a socket, one service for each job, and a slice
# for all. A pure function of the options. The program prints the same for hosts without Nix
# (src/machines/nspawn/units.rs); tests/fixtures/gitlab-nspawn-units holds both to it.
{
  lib,
  # The package of the program.
  package,
  # Directories of programs that the supervisor starts.
  path,
}:

# Value of `services.gitlab-nspawn`.
options:

let
  program = "${package}/bin/gitlab-nspawn-executor";
  inherit (options) limits slots;
  description = "Machines for jobs of GitLab";
  given = lib.filterAttrs (_: value: value != null);
in
{
  socket = {
    inherit description;
    wantedBy = [ "sockets.target" ];
    socketConfig = {
      ListenSequentialPacket = "/run/gitlab-nspawn/machines.sock";
      Accept = true;
      # More than the slots: retries, cleanups and refusals come beside, and a unit that ends still counts.
      MaxConnections = 2 * slots + 16;
      # Nobody who may connect can stop the socket for all by doing it often.
      TriggerLimitIntervalSec = 0;
      SocketMode = "0660";
      SocketGroup = "gitlab-nspawn";
      DirectoryMode = "0755";
    };
  };

  service = {
    description = "Machine for a job of GitLab (%i)";
    # A switch leaves jobs alone.
    restartIfChanged = false;
    inherit path;
    unitConfig.CollectMode = "inactive-or-failed";
    serviceConfig = {
      Type = "exec";
      # Not the store's path of the settings: the file is read by each step of each job, in every generation.
      ExecStart = "${program} supervise --settings /etc/gitlab-nspawn/settings.json";
      ExecStopPost = "${program} ended --settings /etc/gitlab-nspawn/settings.json";
      StandardInput = "socket";
      StandardOutput = "journal";
      StandardError = "journal";
      Slice = "gitlab-nspawn.slice";
      # nspawn and its machine stay in this unit, and manage what is below it.
      Delegate = true;
      KillMode = "mixed";
      TimeoutStopSec = 300;
      TimeoutAbortSec = 10;
      WatchdogSec = 600;
      NotifyAccess = "main";
      PrivateMounts = true;
      # The kernel kills what is too large in the machine; the supervisor says so and goes on.
      OOMPolicy = "continue";
      OOMScoreAdjust = -900;
      # What nspawn itself needs to make a machine's `/dev`, and terminals.
      DevicePolicy = "closed";
      DeviceAllow = [
        "char-pts rw"
        "/dev/net/tun rwm"
        "/dev/fuse rwm"
      ]
      ++ map (device: "${device} rwm") options.devices;
    }
    // given {
      TasksMax = limits.tasks;
      MemoryMax = limits.memory;
      MemorySwapMax = if limits.memory == null then null else 0;
      CPUWeight = limits.cpuWeight;
      IOWeight = limits.ioWeight;
    };
  };

  # Limits for all jobs together belong to this one.
  slice = {
    inherit description;
  };

  # After a power cut nothing of a job is wanted; what is in `/run` is gone anyway.
  tmpfilesRules = [ "R! /var/lib/gitlab-nspawn/jobs" ];

  # Machines reach the network through this host. With IPv6 forwarding Linux ignores router
  # advertisements, unless `accept_ra` is 2.
  sysctl = lib.optionalAttrs (options.network.mode == "private") {
    "net.ipv4.ip_forward" = 1;
    "net.ipv6.conf.all.forwarding" = 1;
    "net.ipv6.conf.default.accept_ra" = 2;
    "net.ipv6.conf.all.accept_ra" = 2;
  };
}
