# What overrides leave of the module's promises: what makes jobs root or shows them
# secrets is refused, unless one option accepts it; the rest is told.
{
  lib,
  host,
  runner,
  ...
}:

let
  evaluated =
    changes: extra:
    host {
      runners.one = runner // changes;
      inherit extra;
    };
  overridden = serviceOverrides: { inherit serviceOverrides; };

  inherit (import ../messages.nix { inherit lib; } evaluated)
    all
    one
    refused
    refusedWith
    silent
    told
    wrong
    ;
  trusted = changes: changes // { trustJobsLikeRoot = true; };

  # Two entries, so that each may say something else.
  two =
    first: second: extra:
    host {
      runners = {
        one = runner // { name = "first"; } // first;
        two = runner // { name = "second"; } // second;
      };
      inherit extra;
    };

  rootByOverride = [
    (overridden { DynamicUser = false; })
    (overridden { DynamicUser = lib.mkForce "no"; })
    (overridden { User = "root"; })
    (overridden { User = 0; })
    (overridden {
      DynamicUser = false;
      User = "0";
    })
    {
      user = "somebody";
      serviceOverrides.User = lib.mkForce "root";
    }
  ];
  secretsByOverride = [
    (overridden { InaccessiblePaths = lib.mkForce [ ]; })
    (overridden { InaccessiblePaths = lib.mkForce [ "-/run/secrets/token" ]; })
    (overridden { InaccessiblePaths = [ "" ]; })
    (overridden {
      InaccessiblePaths = lib.mkForce [
        "/var/lib/github-runner-registrations"
        "/run/github-runner-broker"
        "/run/github-runner-broker-kept"
        "/run/secretary"
      ];
    })
    (overridden { LoadCredential = "mine:/run/secrets/token"; })
    (overridden { LoadCredential = [ "mine:/run/secrets" ]; })
    (overridden { EnvironmentFile = "-/run/secrets/token"; })
    (overridden { OpenFile = "/run/secrets/token:mine:read-only"; })
    (overridden { BindReadOnlyPaths = [ "/run/secrets:/secrets" ]; })
    (overridden { BindPaths = "/:/host"; })
    (overridden { BindPaths = [ "/var/lib/github-runner-registrations:/x" ]; })
  ];
in
{
  "an override that makes jobs root is refused" = all (
    map (changes: refused changes "would run as root") rootByOverride
    ++ [
      (refusedWith { } {
        systemd.services.github-runner-one.serviceConfig.DynamicUser = false;
      } "would run as root")
      (refusedWith { serviceOverrides.User = "toor"; } {
        users.users.toor.uid = 0;
      } "would run as root")
      (refused (overridden {
        AmbientCapabilities = [ "CAP_NET_ADMIN CAP_DAC_OVERRIDE" ];
        PrivateUsers = false;
      }) "CAP_DAC_OVERRIDE")
    ]
  );
  "root that was asked for by name is told" = all [
    (told { user = "root"; } "run as root")
    (silent (trusted {
      user = "root";
    }))
  ];
  "an override that shows secrets to jobs is refused" = all (
    map (changes: refused changes "trustJobsLikeRoot") secretsByOverride
  );
  "one option accepts jobs that are root or see secrets" = all (
    map (changes: silent (trusted changes)) (rootByOverride ++ secretsByOverride)
  );
  "an override that lets jobs reach services of systemd again is told" = all (
    map (changes: told (overridden changes) "exposeSystemServices") [
      {
        InaccessiblePaths = lib.mkForce [
          "/run/secrets"
          "-%S/github-runner-registrations"
          "-/run/github-runner-broker -/run/github-runner-broker-kept"
        ];
      }
      { TemporaryFileSystem = lib.mkForce [ ]; }
      { BindReadOnlyPaths = [ "/run/systemd" ]; }
      { BindPaths = [ "/run/dbus/system_bus_socket" ]; }
    ]
    ++ [
      (silent {
        exposeSystemServices = true;
        serviceOverrides.BindReadOnlyPaths = [ "/run/systemd" ];
      })
      (silent (overridden {
        BindReadOnlyPaths = [ "/run/systemd/userdb" ];
      }))
    ]
  );

  "groups by which jobs become root are told" = all (
    map (changes: told (overridden changes) "can become root") [
      { SupplementaryGroups = [ "docker" ]; }
      { SupplementaryGroups = "kvm wheel"; }
      { SupplementaryGroups = [ "root" ]; }
    ]
    ++ [
      (silent (overridden {
        SupplementaryGroups = [ "kvm" ];
      }))
      (silent (
        trusted (overridden {
          SupplementaryGroups = [ "docker" ];
        })
      ))
    ]
  );

  "a listener outside of the sandbox is refused" = all (
    map (command: refused (overridden { ExecStart = lib.mkForce command; }) "`ExecStart`") [
      "+/bin/listener"
      "@!/bin/listener listener"
      [ "-+/bin/listener" ]
    ]
    ++ [
      (silent (overridden {
        ExecStart = lib.mkForce "-/bin/listener";
      }))
    ]
  );

  "a line break in a value is refused, wherever it comes from" = all (
    map (changes: refused (overridden changes) "line break") [
      { Nice = "1\nUser=root"; }
      { Environment = [ "X=1\nUser=root" ]; }
    ]
    ++ [
      (silent (overridden {
        Nice = "1\n";
      }))
    ]
  );

  "overrides that keep the promises are accepted" = all (
    map silent [
      (overridden {
        DynamicUser = false;
        User = "somebody";
      })
      (overridden { User = "somebody"; })
      { user = "somebody"; }
      (overridden { InaccessiblePaths = [ "/srv/other" ]; })
      (overridden {
        InaccessiblePaths = lib.mkForce [
          "/run/secrets"
          "-%S/github-runner-registrations"
          "-/run/github-runner-broker -/run/github-runner-broker-kept"
          "/run/dbus /run/user"
        ];
      })
      (overridden { LoadCredential = "mine:/run/secrets/tokens-of-others"; })
      (overridden {
        BindReadOnlyPaths = [
          "/run/secrets"
          "/run/secrets:/run/secrets"
        ];
      })
      (overridden { BindPaths = [ "/srv/cache:/cache" ]; })
      (overridden { EnvironmentFile = "/etc/ci.env"; })
      (overridden { KillMode = "mixed"; })
      (overridden { RemainAfterExit = true; })
      (overridden {
        ExecStartPre = [ "/bin/mine" ];
        ExecStopPost = "/bin/mine";
      })
      (overridden {
        AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" ];
        PrivateUsers = false;
      })
      (overridden { AmbientCapabilities = [ "CAP_SYS_ADMIN" ]; })
      { ephemeral = true; }
    ]
  );

  "processes that outlive an ephemeral unit are refused, and others told" = all [
    (refused (
      overridden { KillMode = "process"; } // { ephemeral = true; }
    ) "`KillMode` is \"process\"")
    (refused (overridden { SendSIGKILL = false; } // { ephemeral = true; }) "`SendSIGKILL` is off")
    (told (overridden { KillMode = "none"; }) "`KillMode` is \"none\"")
  ];
  "an ephemeral unit that stays after its job is told" = all [
    (told (overridden { RemainAfterExit = "yes"; } // { ephemeral = true; }) "`RemainAfterExit`")
  ];
  "a step that an override took away is told" = all [
    (told (overridden { ExecStopPost = lib.mkForce [ ]; }) "the step `settle`")
    (told (overridden {
      ExecStop = [
        ""
        "/bin/mine"
      ];
    }) "the step `release`")
    (
      let
        result = evaluated (overridden { ExecStartPre = lib.mkForce "/bin/mine"; }) { };
      in
      if result.failures == [ ] && builtins.length result.warnings == 3 then
        [ ]
      else
        wrong result "each of three steps"
    )
    (
      let
        result = evaluated (
          overridden { ExecStartPre = lib.mkForce "/bin/mine"; }
          // {
            ephemeral = true;
            registration.method = "jit";
          }
        ) { };
      in
      if result.failures == [ ] && builtins.length result.warnings == 2 then
        [ ]
      else
        wrong result "each of two steps, because nobody runs a third one"
    )
  ];

  "runners that share a user are told, with what to do" =
    let
      counted = evaluated {
        user = "ci";
        count = 2;
      } { };
      both = two { user = "ci"; } {
        serviceOverrides = {
          DynamicUser = false;
          User = "ci";
        };
      } { };
    in
    all [
      (
        if one counted.warnings counted.failures "2 runners run as the user `ci`" then
          [ ]
        else
          wrong counted "ci"
      )
      (
        if one both.warnings both.failures "`services.github-runners.two`: 2 runners" then
          [ ]
        else
          wrong both "two"
      )
      (if lib.all (lib.hasInfix "Leave `user` out") both.warnings then [ ] else [ "what to do" ])
    ];
  "ephemeral runners that share a user are refused" =
    let
      counted = evaluated {
        user = "ci";
        count = 2;
        ephemeral = true;
      } { };
      both = two { user = "ci"; } {
        user = "ci";
        ephemeral = true;
      } { };
    in
    all (
      map
        (
          result:
          if one result.failures result.warnings "`ephemeral` promises" then [ ] else wrong result "ephemeral"
        )
        [
          counted
          both
        ]
    );
  "runners with users of their own are accepted" =
    let
      quiet = result: result.failures ++ result.warnings;
    in
    all [
      (quiet (two { user = "a"; } { user = "b"; } { }))
      (quiet (two { } { } { }))
      (quiet (
        two { user = "ci"; } {
          user = "ci";
          enable = false;
        } { }
      ))
      (silent (trusted {
        user = "ci";
        count = 2;
        ephemeral = true;
      }))
      (silent {
        count = 3;
        ephemeral = true;
      })
    ];

  "a secret in a variable is refused" = all (
    map (value: refused { extraEnvironment.MINE = value; } "`MINE`") [
      "ghp_AAAAFAKEAAAA"
      "github_pat_AAAAFAKE"
      "https://x:gho_AAAAFAKE@github.com"
      "ghs_AAAAFAKE"
      "ghu_AAAAFAKE"
      "ghr_AAAAFAKE"
      "-----BEGIN RSA PRIVATE KEY-----\nfake"
    ]
    ++ [
      (refused (overridden { Environment = "X=ghp_AAAAFAKE"; }) "`Environment`")
      (refused (overridden { SetCredential = "x:ghp_AAAAFAKE"; }) "`SetCredential`")
      (refusedWith { } {
        systemd.services.github-runner-one.environment.MINE = "ghp_AAAAFAKE";
      } "`MINE`")
    ]
  );
  "what only resembles a secret is accepted" = all (
    map (value: silent { extraEnvironment.MINE = value; }) [
      "ghp_[0-9A-Za-z]{36}"
      "/var/lib/laughs_daily"
      "-----BEGIN CERTIFICATE-----\nfake"
      "the prefix ghp_"
      ""
    ]
  );
  "a message repeats no secret" = {
    expected = [ ];
    actual =
      lib.filter (lib.hasInfix "AAAAFAKE")
        (evaluated { extraEnvironment.MINE = "ghp_AAAAFAKE"; } { }).failures;
  };

  "values that would put lines into a unit are refused" = all [
    (refused { user = "ci\nExecStartPre=+/bin/mine"; } "`user`")
    (refused { user = ""; } "`user`")
    (refused { user = "%i"; } "`user`")
    (refused {
      user = "ci";
      group = "ci\nUser=root";
    } "`group`")
    (refused { resources.memoryMax = "8G\nUser=root"; } "`resources.memoryMax`")
    (refused { resources.pool.memoryMax = "8G\n[Slice]"; } "`resources.pool.memoryMax`")
    (refused { resources.memoryMax = ""; } "`resources.memoryMax`")
    (silent {
      user = "ci.runner_1-x@example";
      group = "ci";
      resources = {
        memoryMax = "50%";
        pool.memoryMax = "infinity";
      };
    })
  ];
  "times of passes that would put lines into their timer are refused" = {
    expected = [
      true
      true
    ];
    actual =
      map
        (
          option:
          lib.any (lib.hasInfix "reconcile.${option}`")
            (evaluated { } { services.github-runnerctl.reconcile.${option} = "1min\nUnit=x.service"; }).failures
        )
        [
          "interval"
          "jitter"
        ];
  };
}
