# Engines of containers for jobs: what of them is in a runner's unit, what is beside it, and what is refused.
context@{
  lib,
  pkgs,
  host,
  runner,
  ...
}:

let
  profile = import ../profile.nix context;
  inherit (profile)
    all
    changed
    may
    of
    refused
    refusedWith
    silent
    silentWith
    told
    ;

  docker = changes: { containers.engine = "docker"; } // changes;
  podman =
    changes:
    {
      containers.engine = "podman";
      user = "ci";
    }
    // changes;
  stem = "github-runner-containers@one";
  engine = changes: (of (podman changes) { }).services.${stem};
  engineWith =
    containers:
    (engine {
      containers = containers // {
        engine = "podman";
      };
    }).serviceConfig;

  # A runner's line of variables, entry by entry.
  withoutPath = lib.filter (line: !lib.hasInfix "PATH=" line);
  programs = changes: map (package: package.name) (lib.drop 6 (profile.unit changes).path);
in
{
  "an engine without root leaves the sandbox of its runner as it is" = {
    expected = {
      gone = [
        "DynamicUser=true"
        "UMask=0066"
      ];
      new = [
        "After=network.target network-online.target nss-lookup.target github-runner-broker-one.socket ${stem}.socket"
        "Wants=network-online.target github-runner-broker-one.socket ${stem}.socket"
        "Environment=\"CONTAINER_HOST=unix:///run/github-runner-containers/one.sock\""
        "Environment=\"DOCKER_BUILDKIT=0\""
        "Environment=\"DOCKER_HOST=unix:///run/github-runner-containers/one.sock\""
        "DynamicUser=false"
        "UMask=0022"
        "User=ci"
      ];
      programs = [
        "github-runner-client-of-podman"
        "podman"
      ];
      may = [ "podman" ];
    };
    actual =
      let
        lines = changed (podman { });
        isOrder = line: lib.hasPrefix "After=" line || lib.hasPrefix "Wants=" line;
      in
      {
        gone = lib.filter (line: !isOrder line) (withoutPath lines.gone);
        new = withoutPath lines.new;
        programs = programs (podman { });
        may = may (podman { });
      };
  };
  "an engine of the host is a group, a socket and a program, and relaxes nothing" = {
    expected = {
      gone = [ "UMask=0066" ];
      new = [
        "Environment=\"DOCKER_HOST=unix:///run/podman/podman.sock\""
        "SupplementaryGroups=podman"
        "UMask=0022"
      ];
      wants = "podman.socket";
      programs = [ "github-runner-client-of-docker" ];
      may = [ "docker" ];
      units = false;
      host = false;
    };
    actual =
      let
        changes = {
          containers = {
            engine = "docker";
            socket = "/run/podman/podman.sock";
            group = "podman";
          };
        };
        result = of changes { };
        lines = changed changes;
        isOrder = line: lib.hasPrefix "After=" line || lib.hasPrefix "Wants=" line;
      in
      builtins.mapAttrs (_: found: lib.filter (line: !isOrder line) (withoutPath found)) lines
      // {
        wants = lib.last (profile.unitOf result).wants;
        programs = programs changes;
        may = may changes;
        units = result.services ? ${stem};
        host = result.config.virtualisation.containers.enable;
      };
  };
  "an engine without root opens nine lines of its runner's sandbox, and no other one" = {
    expected = {
      # With the filter of system calls and no-new-privileges, which have no line there.
      open = [
        "CapabilityBoundingSet"
        "NoNewPrivileges"
        "PrivateUsers"
        "ProtectHostname"
        "ProtectKernelLogs"
        "ProtectKernelTunables"
        "RestrictNamespaces"
        "RestrictSUIDSGID"
        "SystemCallErrorNumber"
        "SystemCallFilter"
      ];
      closed = true;
    };
    actual =
      let
        standard = (import ../../../nixos/units/hardening.nix).standard;
        own = engineWith { };
        ours = (profile.service (podman { }));
        holds =
          name:
          own ? ${name}
          && (
            # Lists of the runner's own, with more behind them.
            if builtins.isList standard.${name} then
              lib.take (builtins.length standard.${name}) own.${name} == standard.${name}
            else
              own.${name} == ours.${name}
          );
        names = builtins.attrNames (
          removeAttrs standard [
            "AmbientCapabilities"
            "DynamicUser"
          ]
        );
      in
      {
        open = lib.filter (name: !holds name) names;
        # All that the runner's unit closes for its jobs.
        closed =
          own.InaccessiblePaths == ours.InaccessiblePaths
          && lib.elem "-/run/secrets/token" own.InaccessiblePaths;
      };
  };
  "what an override closes for jobs is closed for their containers" = {
    expected = {
      IPAddressDeny = [ "10.0.0.0/8" ];
      InaccessiblePaths = true;
      MemoryMax = "1G";
      NetworkNamespacePath = "/run/netns/ci";
      ProtectHome = "tmpfs";
      User = "other";
    };
    actual =
      let
        config =
          (engine {
            resources.memoryMax = "1G";
            serviceOverrides = {
              IPAddressDeny = [ "10.0.0.0/8" ];
              InaccessiblePaths = [ "/srv/closed" ];
              NetworkNamespacePath = "/run/netns/ci";
              ProtectHome = "tmpfs";
              User = lib.mkForce "other";
            };
          }).serviceConfig;
      in
      {
        inherit (config)
          IPAddressDeny
          MemoryMax
          NetworkNamespacePath
          ProtectHome
          User
          ;
        InaccessiblePaths = lib.elem "/srv/closed" config.InaccessiblePaths;
      };
  };
  "services of systemd stay closed for containers, also where jobs reach them" = {
    expected = [
      true
      false
    ];
    actual =
      let
        config = (engine { exposeSystemServices = true; }).serviceConfig;
      in
      [
        (lib.elem "/run/systemd:ro" config.TemporaryFileSystem)
        (lib.elem "-/run/systemd/system" config.BindReadOnlyPaths)
      ];
  };
  "an engine ends with its runner, and at no switch" = {
    expected = {
      unitConfig = {
        JoinsNamespaceOf = "github-runner-one.service";
        PartOf = "github-runner-one.service";
        StartLimitIntervalSec = 0;
        StopPropagatedFrom = "github-runner-one.service";
        X-StopOnRemoval = false;
      };
      restartIfChanged = false;
      socket = {
        PartOf = "github-runner-one.service";
        StopPropagatedFrom = "github-runner-one.service";
        X-StopOnRemoval = false;
      };
      wantedBy = [ ];
      mode = "0600";
      flushes = true;
    };
    actual =
      let
        result = of (podman { }) { };
        socket = result.sockets.${stem};
      in
      {
        inherit (result.services.${stem}) restartIfChanged unitConfig;
        socket = socket.unitConfig;
        wantedBy = socket.wantedBy ++ result.services.${stem}.wantedBy;
        mode = socket.socketConfig.SocketMode;
        # Nothing that the last job asked for is done in the next cycle.
        flushes = socket.socketConfig.FlushPending;
      };
  };
  "images are kept in a directory of their own, or in one that ends with the runner" = {
    expected = [
      true
      false
      true
      null
    ];
    actual =
      let
        kept = engineWith { };
        fresh = engineWith { keepImages = false; };
        isKept =
          config:
          builtins.match ".*--root=%S/github-runner-containers/one/[0-9a-f]{12}/storage .*" config.ExecStart
          != null;
      in
      [
        (isKept kept)
        (isKept fresh)
        (builtins.match "github-runner-containers/one/[0-9a-f]{12}" kept.StateDirectory != null)
        (fresh.StateDirectory or null)
      ];
  };
  "a changed engine makes another manifest, so that a pass restarts its runner" =
    let
      strict = import ../strict.nix { inherit lib pkgs; };
      unitOf =
        containers:
        (strict.manifestsOf (host {
          inherit (strict) pkgs;
          runners.one = runner // {
            user = "ci";
            inherit containers;
          };
        })).one.unit;
    in
    {
      expected = false;
      actual =
        unitOf { engine = "podman"; } == unitOf {
          engine = "podman";
          keepImages = false;
        };
    };
  "a user that is made has subordinate ids, if there is an engine for it" = {
    expected = [
      true
      false
      true
    ];
    actual =
      let
        made =
          containers:
          of {
            createUser = true;
            inherit containers;
          } { };
        podman = made { engine = "podman"; };
      in
      [
        (podman.config.users.users.github-runner-one.autoSubUidGidRange or false)
        ((made { }).config.users.users.github-runner-one.autoSubUidGidRange or false)
        podman.config.virtualisation.containers.enable
      ];
  };
  "an engine without root needs a static user with subordinate ids" = all [
    (refused { containers.engine = "podman"; } "which a dynamic one never has. Set `createUser = true`")
    (refused (podman {
      user = "root";
      trustJobsLikeRoot = true;
    }) "is for containers without root")
    (refused (podman {
      serviceOverrides.PrivateTmp = false;
    }) "an override takes `PrivateTmp` away")
    (refusedWith (podman { }) {
      users.users.ci = { };
    } "Set `users.users.ci.autoSubUidGidRange = true`")
    (refusedWith (podman { }) { users.users.ci.subUidRanges = [ { } ]; } "`ci` has none")
    (silentWith (podman { }) { users.users.ci.autoSubUidGidRange = true; })
    (silentWith (podman { }) {
      users.users.ci = {
        subUidRanges = [ { } ];
        subGidRanges = [ { } ];
      };
    })
    # Whom nobody has declared here, another directory knows.
    (silent (podman { }))
    (silent {
      containers.engine = "podman";
      createUser = true;
    })
  ];
  "jobs that are root by an engine of the host are told" = all [
    (told (docker { }) "whoever may use that socket is root")
    (told {
      containers = {
        engine = "docker";
        socket = "/run/podman/podman.sock";
        group = "podman";
      };
    } "whoever may use that socket is root")
    (silent (docker {
      trustJobsLikeRoot = true;
    }))
  ];
  "sockets and groups that are none, or that jobs would not see, are refused" = all (
    map
      (
        socket:
        refused {
          trustJobsLikeRoot = true;
          containers = {
            engine = "docker";
            inherit socket;
          };
        } "`containers.socket`"
      )
      [
        "docker.sock"
        "tcp://127.0.0.1:2375"
        "/run/../run/docker.sock"
        "/run/user/1000/docker.sock"
        "/run/docker sock"
        "/home/ci/docker.sock"
        "/tmp/docker.sock"
        "/run/github-runner-broker/one"
      ]
    ++ [
      (refused {
        trustJobsLikeRoot = true;
        containers = {
          engine = "docker";
          group = "a b";
        };
      } "`containers.group`")
    ]
  );
  "images that one job leaves to the next one of an ephemeral runner are told" = all [
    (told (podman {
      ephemeral = true;
    }) "what one job writes the next one runs, by `containers.keepImages`")
    (silent (podman {
      ephemeral = true;
      containers = {
        engine = "podman";
        keepImages = false;
      };
    }))
  ];
  "a work directory apart from the others is not where engines keep theirs" = all [
    (refused { workDir = "/var/lib/github-runner-containers/one"; } "workDir")
  ];
}
