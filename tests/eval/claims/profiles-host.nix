# What options of profiles make of the host: settings of the Nix daemon, users and directories.
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
    told
    ;

  settings = changes: (of changes { }).config.nix.settings;
  collected = runners: host { inherit runners; };
  key = "example.org-1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
in
{
  "the users of all runners are added by name, also dynamic ones" = {
    expected = {
      dynamic.extra-allowed-users = [ "github-runner-one" ];
      static.extra-trusted-users = [ "ci" ];
      several.extra-trusted-users = [
        "github-runner-one-1"
        "github-runner-one-2"
      ];
      overridden.extra-allowed-users = [ "somebody" ];
      off = { };
    };
    actual = {
      dynamic = settings { nix.access = "allowed"; };
      static = settings {
        nix.access = "trusted";
        user = "ci";
      };
      several = settings {
        nix.access = "trusted";
        count = 2;
      };
      overridden = settings {
        nix.access = "allowed";
        serviceOverrides.User = "somebody";
      };
      off = settings { };
    };
  };
  "substituters and keys are the host's, once each" = {
    expected = {
      extra-substituters = [
        "https://example.org"
        "https://example.com"
      ];
      extra-trusted-public-keys = [ key ];
    };
    actual =
      (host {
        runners = {
          one = runner // {
            count = 2;
            nix.substituters = [ "https://example.org" ];
            nix.trustedPublicKeys = [ key ];
          };
          two = runner // {
            nix.substituters = [
              "https://example.org"
              "https://example.com"
            ];
          };
        };
      }).config.nix.settings;
  };
  "access to the Nix daemon leaves the unit alone, and every runner says that it has it" = {
    expected = {
      gone = [ ];
      new = [ ];
      may = [ "nix (trusted)" ];
    };
    actual =
      let
        changes = {
          nix.access = "trusted";
        };
      in
      changed changes // { may = may changes; };
  };
  "jobs that are root by the Nix daemon are told" = all [
    (told { nix.access = "trusted"; } "its jobs can become root, because `nix.access`")
    (silent {
      nix.access = "trusted";
      trustJobsLikeRoot = true;
    })
    (silent { nix.access = "allowed"; })
  ];
  "a dynamic user whose name nobody knows is refused for Nix" = {
    expected = [
      true
      true
      false
      false
    ];
    actual =
      map
        (
          { name, changes }:
          lib.any (lib.hasInfix "`nix.access` needs the name of its user")
            (host {
              runners.${name} =
                runner
                // {
                  nix.access = "allowed";
                }
                // changes;
            }).failures
        )
        [
          {
            name = "eighteen-characters";
            changes = { };
          }
          {
            name = "with.dot";
            changes = { };
          }
          {
            name = "with.dot";
            changes.user = "ci";
          }
          {
            name = "seventeen-letters";
            changes = { };
          }
        ];
  };
  "what would be another line or word of nix.conf is refused" = all [
    (refused {
      nix.substituters = [ "https://a https://b" ];
    } "Make each address an entry of its own")
    (refused { nix.substituters = [ "" ]; } "`nix.substituters` (\"\")")
    (refused {
      nix.substituters = [ "https://a\ntrusted-users = *" ];
    } "control character")
    (refused { nix.trustedPublicKeys = [ "example" ]; } "is no public key of Nix")
    (refused { nix.trustedPublicKeys = [ "${key}\nx = y" ]; } "is no public key of Nix")
    (refusedWith { nix.access = "allowed"; } { nix.enable = false; } "`nix.enable` of the host is off")
    (silent {
      nix.substituters = [ "s3://cache?region=eu-west-1" ];
      nix.trustedPublicKeys = [ key ];
    })
  ];

  "garbage is collected when nobody of those who hold it has a job, and a switch does not wait for that" =
    {
      expected = [
        "[Unit]"
        "Description=Nix Garbage Collector"
        ""
        "[Service]"
        "X-RestartIfChanged=false"
        "ExecStart=${pkgs.nix}/bin/nix-collect-garbage"
        "ExecStartPre=-${pkgs.github-runnerctl}/bin/github-runnerctl wait-for-jobs one-1 one-2 two"
        "Type=oneshot"
      ];
      actual = lib.filter (line: !lib.hasPrefix "Environment=" line) (
        lib.splitString "\n" (
          lib.removeSuffix "\n"
            (collected {
              one = runner // {
                count = 2;
                nix.holdGarbageCollection = true;
              };
              two = runner // {
                nix.holdGarbageCollection = true;
              };
              three = runner;
            }).unitTexts."nix-gc.service"
        )
      );
    };
  "what the host does before it collects is done before it waits" = {
    expected = [
      "/bin/first"
      "-${pkgs.github-runnerctl}/bin/github-runnerctl wait-for-jobs one"
    ];
    actual =
      (of { nix.holdGarbageCollection = true; } {
        systemd.services.nix-gc.serviceConfig.ExecStartPre = [ "/bin/first" ];
      }).services.nix-gc.serviceConfig.ExecStartPre;
  };
  "whoever holds the collection of garbage has the unit that he had" = {
    expected = {
      gone = [ ];
      new = [ ];
      may = null;
    };
    actual =
      let
        changes = {
          nix.holdGarbageCollection = true;
        };
      in
      changed changes // { may = may changes; };
  };
  "a collection that cannot be held is refused" =
    let
      held = {
        nix.holdGarbageCollection = true;
      };
      limited = directives: { systemd.services.nix-gc.serviceConfig = directives; };
    in
    all [
      (refusedWith held { nix.enable = false; } "`nix.enable` of the host is off")
      (refusedWith held (limited { TimeoutStartSec = "1h"; }) "TimeoutStartSec of that unit would end it")
      (refusedWith held (limited { TimeoutSec = 60; }) "TimeoutSec of that unit")
      (profile.silentWith { } (limited {
        TimeoutStartSec = "1h";
      }))
      (profile.silentWith held (limited {
        TimeoutStartSec = "infinity";
      }))
      (silent held)
    ];

  "programs of other systems find a loader and libraries on the host, and no unit changes" =
    let
      changes = {
        hostedToolchains = true;
      };
      inherit ((of changes { }).config.programs) nix-ld;
    in
    {
      expected = {
        gone = [ ];
        new = [ ];
        enable = true;
        languages = [
          "gcc"
          "icu"
          "openssl"
          "zlib"
        ];
        off = [ ];
      };
      actual = changed changes // {
        inherit (nix-ld) enable;
        languages = lib.filter (
          name:
          builtins.elem name [
            "gcc"
            "icu"
            "openssl"
            "zlib"
          ]
        ) (map (package: package.name) nix-ld.libraries);
        off = (of { } { }).config.programs.nix-ld.libraries;
      };
    };
  "libraries of the host stay beside those of its runners" = {
    expected = [
      "own"
      "gcc"
    ];
    actual = map (package: package.name) (
      lib.filter
        (
          package:
          builtins.elem package.name [
            "own"
            "gcc"
          ]
        )
        (of { hostedToolchains = true; } {
          programs.nix-ld.libraries = [ (pkgs.package "own") ];
        }).config.programs.nix-ld.libraries
    );
  };
  "programs of other systems are refused on a host that does not want them" = all [
    (refusedWith { hostedToolchains = true; } {
      programs.nix-ld.enable = false;
    } "`programs.nix-ld.enable` of the host is off")
    (silent { hostedToolchains = true; })
  ];

  "a user is made with a home that jobs find as theirs" = {
    expected = {
      gone = [ "DynamicUser=true" ];
      new = [
        "Environment=\"HOME=/var/lib/github-runner-home/one\""
        "DynamicUser=false"
        "Group=github-runner-one"
        "ReadWritePaths=/var/lib/github-runner-home/one"
        "User=github-runner-one"
      ];
      users.github-runner-one = {
        isSystemUser = true;
        description = "GitHub Actions runner";
        group = "github-runner-one";
        home = "/var/lib/github-runner-home/one";
      };
      groups.github-runner-one = { };
      tmpfilesRules = [
        "d /var/lib/github-runner-registrations 0700 root root - -"
        "d /var/lib/github-runner-home 0755 root root - -"
        "d /var/lib/github-runner-home/one 0700 github-runner-one github-runner-one - -"
      ];
      may = [ "home /var/lib/github-runner-home/one" ];
    };
    actual =
      let
        changes = {
          createUser = true;
        };
        result = of changes { };
        lines = changed changes;
      in
      lines
      // {
        # The default stands for the work directory.
        gone = lib.filter (line: !lib.hasPrefix "Environment=\"HOME=" line) lines.gone;
        inherit (result.config.users) users groups;
        inherit (result) tmpfilesRules;
        may = may changes;
      };
  };
  "a cache is given to the user, is writable, and is where programs look" = {
    expected = {
      gone = [ "DynamicUser=true" ];
      new = [
        "Environment=\"AGENT_TOOLSDIRECTORY=/var/cache/ci/tools\""
        "Environment=\"RUNNER_TOOL_CACHE=/var/cache/ci/tools\""
        "Environment=\"XDG_CACHE_HOME=/var/cache/ci/xdg\""
        "DynamicUser=false"
        "ReadWritePaths=/var/cache/ci"
        "User=ci"
      ];
      rules = [ "d /var/cache/ci 0700 ci - - -" ];
      may = [ "cache /var/cache/ci" ];
    };
    actual =
      let
        changes = {
          user = "ci";
          cacheDirectory = "/var/cache/ci";
        };
      in
      changed changes
      // {
        rules = builtins.tail (of changes { }).tmpfilesRules;
        may = may changes;
      };
  };
  "own variables win over those of a home and a cache" = {
    expected = {
      HOME = "/elsewhere";
      XDG_CACHE_HOME = "/var/cache/ci/mine";
    };
    actual = {
      inherit
        ((profile.unit {
          createUser = true;
          cacheDirectory = "/var/cache/ci";
          extraEnvironment = {
            HOME = "/elsewhere";
            XDG_CACHE_HOME = "/var/cache/ci/mine";
          };
        }).environment
        )
        HOME
        XDG_CACHE_HOME
        ;
    };
  };
  "a user that is made goes with no other one, and fits" = {
    expected = [ ];
    actual =
      lib.concatLists [
        (refused {
          createUser = true;
          user = "ci";
        } "`user` or `group` names another one")
        (refused {
          createUser = true;
          group = "ci";
        } "`user` or `group` names another one")
        (refused {
          createUser = true;
          serviceOverrides.DynamicUser = lib.mkForce true;
        } "gives the unit a dynamic one")
        (refused {
          createUser = true;
          workDir = "/var/lib/github-runner-home/one/work";
        } "overlaps `/var/lib/github-runner-home/one`")
        (silent { createUser = true; })
      ]
      ++ (
        let
          result = host {
            runners.eighteen-characters = runner // {
              createUser = true;
            };
          };
        in
        lib.optional (
          !lib.any (lib.hasInfix "31 characters at most") result.failures || result.config.users.users != { }
        ) "a long name"
      );
  };
  "runners of an entry that share the user that is made are told, or refused" = all [
    (
      let
        result = of {
          createUser = true;
          count = 2;
        } { };
      in
      lib.optionals (!lib.any (lib.hasInfix "Leave `createUser` out") result.warnings) [ "told" ]
    )
    (
      let
        result = of {
          createUser = true;
          ephemeral = true;
          count = 2;
        } { };
      in
      lib.optionals (!lib.any (lib.hasInfix "2 runners run as the user") result.failures) [ "refused" ]
    )
  ];
  "what one job leaves to the next one of an ephemeral runner is told" = all [
    (told {
      ephemeral = true;
      user = "ci";
      cacheDirectory = "/var/cache/ci";
    } "what one job writes the next one runs, by `cacheDirectory`")
    (told {
      ephemeral = true;
      createUser = true;
    } "by `createUser`")
    (silent {
      ephemeral = true;
      createUser = true;
      trustJobsLikeRoot = true;
    })
    (silent {
      user = "ci";
      cacheDirectory = "/var/cache/ci";
    })
  ];
  "a cache needs a static user" = all [
    (refused { cacheDirectory = "/var/cache/ci"; } "Set `createUser = true`, or `user`")
    (silent {
      cacheDirectory = "/var/cache/ci";
      createUser = true;
    })
  ];
  "a cache that belongs to somebody else, or that jobs would not see, is refused" = all (
    lib.mapAttrsToList
      (
        cacheDirectory:
        refused {
          inherit cacheDirectory;
          user = "ci";
          workDir = "/srv/work";
        }
      )
      {
        "var/cache/ci" = "is not absolute";
        "/var/cache/c i" = "is not absolute, or has";
        "/var/cache/%i" = "is not absolute, or has";
        "/var/cache/ci/" = "empty part";
        "/var/cache/../lib" = "holds `.` or `..`";
        "/var/cache" = "is or contains a directory of the system";
        "/var" = "is or contains a directory of the system";
        "/nix/store/x" = "lies in a directory of the system";
        "/etc/ci" = "lies in a directory of the system";
        "/tmp/ci" = "lies where jobs see another directory";
        "/home/ci/cache" = "lies where jobs see another directory";
        "/var/cache/private/ci" = "dynamic users";
        "/var/lib/github-runner/ci" = "registrations, logs or sockets";
        "/var/lib/github-runner-registrations" = "registrations, logs or sockets";
        "/run/secrets" = "lies in a directory of the system or of secrets";
        "/srv/work/cache" = "overlaps the work directory";
        "/srv/work" = "overlaps the work directory";
      }
    ++ [
      (refused {
        cacheDirectory = "/srv/keys";
        user = "ci";
        tokenFile = "/srv/keys/token";
      } "overlaps the directory of the secret")
      (refused {
        cacheDirectory = "/var/lib/github-runner-home/one/cache";
        createUser = true;
      } "the home of a runner's user")
    ]
  );
  "a cache is shared by entries only if it is the same for the same user" =
    let
      failures =
        first: second:
        builtins.length
          (host {
            runners = {
              one = runner // { name = "first"; } // first;
              two = runner // { name = "second"; } // second;
            };
          }).failures;
      with' = user: cacheDirectory: { inherit cacheDirectory user; };
    in
    {
      expected = [
        0
        2
        2
        0
      ];
      actual = [
        (failures (with' "ci" "/var/cache/ci") (with' "ci" "/var/cache/ci"))
        (failures (with' "ci" "/var/cache/ci") (with' "other" "/var/cache/ci"))
        (failures (with' "ci" "/var/cache/ci") (with' "ci" "/var/cache/ci/x"))
        (failures (with' "ci" "/var/cache/ci") (with' "other" "/var/cache/cin"))
      ];
    };
}
