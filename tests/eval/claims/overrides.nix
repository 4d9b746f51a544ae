# What a configuration may change about its unit, and that values reach systemd
# the way they were meant.
{
  lib,
  host,
  runner,
  ...
}:

let
  unit = changes: (host { runners.one = runner // changes; }).services.github-runner-one;
  service = changes: (unit changes).serviceConfig;

  # With what a configuration says about the unit itself.
  beside =
    changes:
    (host {
      runners.one = runner;
      extra.systemd.services.github-runner-one = changes;
    }).services.github-runner-one;
in
{
  "an override replaces a hardening value" = {
    expected = false;
    actual = (service { serviceOverrides.PrivateUsers = false; }).PrivateUsers;
  };

  "an override that is a list is appended" = {
    expected = [
      [
        "AF_INET"
        "AF_INET6"
        "AF_UNIX"
        "AF_NETLINK"
        "AF_PACKET"
      ]
      [
        ""
        "/dev/kvm"
      ]
      [
        "github-runner/one"
        "cache"
      ]
    ];
    actual =
      let
        config = service {
          serviceOverrides = {
            DeviceAllow = [ "/dev/kvm" ];
            RestrictAddressFamilies = [ "AF_PACKET" ];
            StateDirectory = [ "cache" ];
          };
        };
      in
      [
        config.RestrictAddressFamilies
        config.DeviceAllow
        config.StateDirectory
      ];
  };

  "a forced override replaces everything" = {
    expected = {
      ExecStartPre = [ "/bin/true" ];
      Restart = "always";
      DynamicUser = true;
    };
    actual = {
      inherit
        (service {
          user = "somebody";
          serviceOverrides = {
            ExecStartPre = lib.mkForce [ "/bin/true" ];
            Restart = lib.mkForce "always";
            DynamicUser = lib.mkForce true;
          };
        })
        ExecStartPre
        Restart
        DynamicUser
        ;
    };
  };

  "an own restart policy wins" = {
    expected = {
      Restart = "on-failure";
      RestartSec = 30;
      RestartForceExitStatus = [
        2
        3
      ];
      RestartPreventExitStatus = [
        7
        1
      ];
    };
    actual = {
      inherit
        (service {
          serviceOverrides = {
            Restart = "on-failure";
            RestartSec = 30;
            RestartForceExitStatus = [ 3 ];
            RestartPreventExitStatus = [ 1 ];
          };
        })
        Restart
        RestartForceExitStatus
        RestartPreventExitStatus
        RestartSec
        ;
    };
  };

  "an own start limit wins in both spellings" = {
    expected = [
      [ "1h" ]
      [ 900 ]
      [ 900 ]
    ];
    actual = map (config: lib.toList config.TimeoutStartSec) [
      (service { serviceOverrides.TimeoutStartSec = "1h"; })
      # The text has it after the other one, so it has to be the same.
      (service { serviceOverrides.TimeoutSec = 900; })
      (beside { serviceConfig.TimeoutSec = 900; }).serviceConfig
    ];
  };

  "an own mode of the work directory is that of the default one, and the last word is an override's" =
    {
      expected = [
        "0750"
        "0755"
      ];
      actual = map (changes: (service changes).RuntimeDirectoryMode) [
        { workDirMode = "0750"; }
        { serviceOverrides.RuntimeDirectoryMode = "0755"; }
      ];
    };

  "an own stop limit wins in both spellings" = {
    expected = [
      "5min"
      [ 900 ]
    ];
    actual = [
      (service { serviceOverrides.TimeoutStopSec = "5min"; }).TimeoutStopSec
      ((service { serviceOverrides.TimeoutSec = 900; }).TimeoutStopSec or null)
    ];
  };

  "an own word wins about what becomes of processes" = {
    expected = {
      KillMode = "control-group";
      OOMPolicy = "stop";
      SystemCallErrorNumber = "kill";
    };
    actual = {
      inherit
        (service {
          serviceOverrides = {
            KillMode = "control-group";
            OOMPolicy = "stop";
            SystemCallErrorNumber = "kill";
          };
        })
        KillMode
        OOMPolicy
        SystemCallErrorNumber
        ;
    };
  };

  "further file systems in memory leave shared memory private, unless all are replaced" = {
    expected = [
      [
        "/dev/shm:mode=1777,nosuid,nodev,size=25%,nr_inodes=100k"
        "/run/systemd:ro"
        "/scratch"
      ]
      [ "/dev/shm:mode=1777,size=8G" ]
    ];
    actual = [
      (service { serviceOverrides.TemporaryFileSystem = [ "/scratch" ]; }).TemporaryFileSystem
      (service { serviceOverrides.TemporaryFileSystem = lib.mkForce [ "/dev/shm:mode=1777,size=8G" ]; })
      .TemporaryFileSystem
    ];
  };

  "a user or a group ends the dynamic user" = {
    expected = {
      user = [
        false
        "somebody"
        null
      ];
      group = [
        false
        "root"
        "staff"
      ];
      neither = [
        true
        null
        null
      ];
    };
    actual =
      let
        identity =
          changes:
          let
            config = service changes;
          in
          [
            config.DynamicUser
            (config.User or null)
            (config.Group or null)
          ];
      in
      {
        user = identity { user = "somebody"; };
        group = identity {
          user = "root";
          group = "staff";
        };
        neither = identity { };
      };
  };

  "services of systemd are closed to jobs unless an option opens them" =
    let
      closing =
        changes:
        let
          config = service changes;
        in
        {
          bus = lib.all (path: builtins.elem path config.InaccessiblePaths) [
            "-/run/dbus"
            "-/run/user"
          ];
          systemd = lib.filter (entry: !lib.hasPrefix "/dev/shm:" entry) config.TemporaryFileSystem;
          kept = config.BindReadOnlyPaths or [ ];
        };
    in
    {
      expected = {
        default = {
          bus = true;
          systemd = [ "/run/systemd:ro" ];
          kept = [
            "-/run/systemd/journal"
            "-/run/systemd/resolve"
            "-/run/systemd/system"
            "-/run/systemd/userdb"
          ];
        };
        appended = {
          bus = true;
          systemd = [
            "/run/systemd:ro"
            "/scratch"
          ];
          kept = [
            "-/run/systemd/journal"
            "-/run/systemd/resolve"
            "-/run/systemd/system"
            "-/run/systemd/userdb"
            "/srv/tools"
          ];
        };
        exposed = {
          bus = false;
          systemd = [ ];
          kept = [ ];
        };
      };
      actual = {
        default = closing { };
        appended = closing {
          serviceOverrides = {
            BindReadOnlyPaths = [ "/srv/tools" ];
            TemporaryFileSystem = [ "/scratch" ];
          };
        };
        exposed = closing { exposeSystemServices = true; };
      };
    };

  "no logs directory belongs to the user of the unit, but for own ones" = {
    expected = [
      [ ]
      [ "extra-logs" ]
    ];
    actual = [
      ((service { }).LogsDirectory or [ ])
      (service { serviceOverrides.LogsDirectory = [ "extra-logs" ]; }).LogsDirectory
    ];
  };

  "own environment variables win" = {
    expected = {
      ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE = "";
      HOME = "/elsewhere";
      RUNNER_ROOT = "%S/github-runner/one";
    };
    actual =
      (unit {
        extraEnvironment = {
          ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE = "";
          HOME = "/elsewhere";
        };
      }).environment;
  };

  "a work directory with a space or a dollar is one argument" = {
    expected = {
      quotedInSteps = true;
      BindPaths = [ "\"-/srv/my $work\"" ];
      WorkingDirectory = "-/srv/my $work";
    };
    actual =
      let
        config = service { workDir = "/srv/my $work"; };
      in
      {
        quotedInSteps = lib.all (lib.hasInfix " --work-directory \"/srv/my $$work\" ") config.ExecStartPre;
        inherit (config) BindPaths WorkingDirectory;
      };
  };

  "systemd expands a work directory and a doubled percent everywhere alike" = {
    expected = {
      HOME = "%C/50%%/work";
      BindPaths = [ "-%C/50%%/work" ];
      WorkingDirectory = "-%C/50%%/work";
      inSteps = true;
    };
    actual =
      let
        inherit (unit { workDir = "%C/50%%/work"; }) environment serviceConfig;
      in
      {
        inherit (environment) HOME;
        inherit (serviceConfig) BindPaths WorkingDirectory;
        inSteps = lib.all (lib.hasInfix " --work-directory %C/50%%/work ") serviceConfig.ExecStartPre;
      };
  };

  "several definitions are merged by directive" =
    let
      several =
        definitions:
        (host {
          runners.one = lib.mkMerge (
            [ runner ] ++ map (serviceOverrides: { inherit serviceOverrides; }) definitions
          );
        }).services.github-runner-one.serviceConfig;
      works = definitions: (builtins.tryEval (several definitions).Nice).success;
    in
    {
      expected = {
        disjoint = [
          5
          "4G"
        ];
        lists = [
          ""
          "/dev/a"
          "/dev/b"
          "/dev/c"
        ];
        ordered = [
          ""
          "/dev/first"
          "/dev/second"
        ];
        equal = 5;
        forced = 7;
        weak = 5;
        hidden = 5;
        inMergeOfOne = 3;
        forcedList = [ "/only" ];
        conflict = false;
      };
      actual = {
        disjoint =
          let
            config = several [
              { Nice = 5; }
              { MemoryMax = "4G"; }
            ];
          in
          [
            config.Nice
            config.MemoryMax
          ];
        lists =
          (several [
            {
              DeviceAllow = [
                "/dev/a"
                "/dev/b"
              ];
            }
            { DeviceAllow = "/dev/c"; }
          ]).DeviceAllow;
        ordered =
          (several [
            { DeviceAllow = [ "/dev/second" ]; }
            { DeviceAllow = lib.mkBefore [ "/dev/first" ]; }
          ]).DeviceAllow;
        equal =
          (several [
            { Nice = 5; }
            { Nice = 5; }
          ]).Nice;
        forced =
          (several [
            { Nice = 5; }
            { Nice = lib.mkForce 7; }
          ]).Nice;
        # Each one is stronger than the module's, too.
        weak =
          (several [
            { Nice = lib.mkDefault 9; }
            { Nice = 5; }
          ]).Nice;
        hidden =
          (several [
            { Nice = 5; }
            { Nice = lib.mkIf false 9; }
          ]).Nice;
        inMergeOfOne =
          (several [
            {
              Nice = lib.mkMerge [
                (lib.mkDefault 9)
                3
              ];
            }
          ]).Nice;
        forcedList =
          (several [
            { TemporaryFileSystem = [ "/more" ]; }
            { TemporaryFileSystem = lib.mkForce [ "/only" ]; }
          ]).TemporaryFileSystem;
        conflict = works [
          { Nice = 5; }
          { Nice = 7; }
        ];
      };
    };
}
