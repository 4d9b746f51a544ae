# What runners on demand need beside their brokers: the door, which strangers reach, the desk behind it, and what
# the unit of an order of this host has in place of a registration of its own. Pure functions over values.
{
  lib,
  # The packages of the two programs.
  door,
  runnerctl,
  # The package whose programs the desk calls.
  systemd,
}:

let
  inherit (import ./syntax.nix) argument entry literal;
  hardening = import ./hardening.nix;

  commandLine = lib.concatMapStringsSep " " argument;
  user = "github-runner-door";
  publicSocket = "/run/${user}/http.sock";

  # Below `/run` and `/var/lib`.
  name = "github-runner-on-demand";
  runtime = "/run/${name}";
  state = "/var/lib/${name}";
  # Directories of all orders of this host, and of each, below `/run`.
  all = "github-runner-order";
  own = "${all}/%i";

  # Only programs of this host can connect, and a socket that gave up would refuse everybody from then on.
  socketOf = description: path: config: {
    inherit description;
    wantedBy = [ "sockets.target" ];
    listenStreams = [ path ];
    socketConfig = {
      # For directories of both; the programs make the others closed.
      DirectoryMode = "0755";
      SocketMode = "0660";
      TriggerLimitIntervalSec = 0;
    }
    // config;
  };
  service = {
    # A program that fails again is told by the journal, and comes back.
    unitConfig.StartLimitIntervalSec = 0;
    serviceConfig = {
      Type = "exec";
      StandardInput = "socket";
      StandardOutput = "journal";
      StandardError = "journal";
    };
  };
in
{
  inherit
    publicSocket
    runtime
    state
    user
    ;

  # What no broker of an order may see.
  closedToBrokers = [
    "-${state}"
    "-${runtime}/manifests/doors"
    "-${runtime}/orders"
    "-/run/${all}"
  ];

  door = {
    # Value of `services.github-runner-on-demand`.
    socket =
      options:
      socketOf "Door to runners on demand" publicSocket {
        SocketGroup = options.door.group;
        # All connections that the door has or refuses at a time, with room for a burst.
        Backlog = 256;
      };

    service = options: {
      description = "Door to runners on demand, which strangers reach";
      inherit (service) unitConfig;
      serviceConfig =
        hardening.broker
        // service.serviceConfig
        // {
          ExecStart = commandLine (
            [
              "${door}/bin/github-runner-door"
              "--desk"
              "${runtime}/desk.sock"
              "--prefix"
              options.prefix
            ]
            ++ lib.optionals (options.compatible.prefix != null) [
              "--compatible-prefix"
              options.compatible.prefix
            ]
          );
          # The desk's socket is its group's, so it has to be known before the door starts.
          DynamicUser = false;
          User = user;
          Group = user;

          PrivateNetwork = true;
          RestrictAddressFamilies = [ "AF_UNIX" ];
          MemoryMax = "32M";
          TasksMax = 80;
        };
    };
  };

  desk = {
    socket = socketOf "Desk of runners on demand" "${runtime}/desk.sock" {
      SocketGroup = user;
    };

    service =
      {
        # Path of the settings.
        settings,
        # Value of `services.github-runnerctl.metrics.textfileDirectory`.
        textfileDirectory,
      }:
      {
        description = "Desk of runners on demand";
        # Orders may be open when the host boots, and it ends by itself when none is.
        wantedBy = [ "multi-user.target" ];
        # Not for itself, but for the brokers that it asks. Without its socket it could not start.
        wants = [ "network-online.target" ];
        requires = [ "${name}.socket" ];
        after = [
          "${name}.socket"
          "network-online.target"
          # It keeps the time that it starts with.
          "time-sync.target"
        ];
        path = [ systemd ];
        inherit (service) unitConfig;
        serviceConfig =
          hardening.reconcile
          // service.serviceConfig
          // {
            ExecStart = commandLine [
              "${runnerctl}/bin/github-runnerctl"
              "desk"
              "--settings"
              settings
            ];
            Restart = "on-failure";
            RestartSec = "5s";

            # Its socket is in it, and registrations on their way.
            RuntimeDirectory = name;
            RuntimeDirectoryMode = "0755";
            RuntimeDirectoryPreserve = true;
            StateDirectory = name;
            StateDirectoryMode = "0700";
            # Whoever collects the figures owns it, and a missing one keeps no order waiting.
            ReadWritePaths = lib.optional (textfileDirectory != null) (
              entry "-${literal (toString textfileDirectory)}"
            );
          };
      };

    # In case that it was stopped, or could not know that something was left to do.
    timer = {
      description = "Regular look at orders of runners on demand";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnBootSec = "1min";
        OnUnitInactiveSec = "10min";
      };
    };
  };

  # For runner.nix: the unit of a class is a template, whose instances are the names of orders' files.
  order =
    {
      # Seconds.
      ttl,
      # The program that looks whether a job is that of the order.
      hook,
      # What no job may see, besides its own credential.
      secrets,
    }:
    {
      inherit
        all
        hook
        own
        ttl
        ;
      state = "${own}/state";
      work = "${own}/work";
      registration = "${runtime}/orders/%i.json";
      closed = [
        "-${runtime}"
        "-${state}"
      ]
      ++ secrets;
    };
  # Below `/run`.
  stateDirectory = "${own}/state";
  # Without its instance and what follows.
  orderUnit = class: "${name}-${class}";
  # As the server writes it into a registration.
  workDirectory = "/run/${own}/work";
}
