# What options of profiles open for jobs: the lines of the unit, what is refused, and what
# stays as it is.
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
    mayOf
    of
    refused
    service
    silent
    told
    unit
    unitOf
    ;

  # Every option of a profile as it is by default.
  off = {
    cacheDirectory = null;
    cleanWorkDir = "start";
    createUser = false;
    devices = [ ];
    deviceGroups = [ ];
    hooks = {
      jobCompleted = null;
      jobStarted = null;
    };
    hostedToolchains = false;
    containers = {
      engine = null;
      group = "docker";
      keepImages = true;
      socket = "/run/docker.sock";
    };
    kvm = false;
    minFreeSpace = null;
    nodeAliases = { };
    programs = "minimal";
    steps = { };
    trust = null;
    nix = {
      access = null;
      holdGarbageCollection = false;
      substituters = [ ];
      trustedPublicKeys = [ ];
    };
    sandbox = {
      namespaces = false;
      sudo = false;
      umask = null;
    };
  };
  static = changes: changes // { user = "ci"; };
  trusted = changes: changes // { trustJobsLikeRoot = true; };
in
{
  "options of profiles that are off change nothing" = {
    expected = true;
    actual =
      let
        texts =
          changes:
          let
            result = host { runners.one = runner // changes; };
          in
          {
            inherit (result) unitTexts tmpfilesRules;
            inherit (result.config) nix programs users;
            fleet = result.etc."github-runners/fleet.json".source.text;
          };
      in
      texts off == texts { };
  };
  "a runner without a profile is said to have nothing in particular" = {
    expected = null;
    actual = may { };
  };

  "a device is shown and allowed, and no other one" = {
    expected = {
      gone = [ ];
      new = [
        "BindPaths=-/dev/net/tun"
        "BindPaths=-/dev/fuse"
        "DeviceAllow=/dev/net/tun rw"
        "DeviceAllow=/dev/fuse rw"
        "SupplementaryGroups=video"
      ];
    };
    actual = changed {
      devices = [
        "/dev/net/tun"
        "/dev/fuse"
        "/dev/fuse"
      ];
      deviceGroups = [
        "video"
        "video"
      ];
    };
  };
  "devices come after what drops all others, and before those of overrides" = {
    expected = {
      DeviceAllow = [
        ""
        "/dev/kvm rw"
        "/dev/uinput"
      ];
      PrivateDevices = true;
    };
    actual = {
      inherit
        (service {
          kvm = true;
          serviceOverrides.DeviceAllow = [ "/dev/uinput" ];
        })
        DeviceAllow
        PrivateDevices
        ;
    };
  };
  "virtual machines have their node, and its group where there is one" = {
    expected = [
      [
        [ "-/dev/kvm" ]
        null
      ]
      [
        [ "-/dev/kvm" ]
        [ "kvm" ]
      ]
    ];
    actual =
      map
        (
          groups:
          let
            config =
              (unitOf (
                of {
                  devices = [ "/dev/kvm" ];
                  kvm = true;
                } { users.groups = groups; }
              )).serviceConfig;
          in
          [
            config.BindPaths
            (config.SupplementaryGroups or null)
          ]
        )
        [
          { }
          { kvm = { }; }
        ];
  };
  "devices that are none, or that all of the host shares, are refused" = all (
    lib.mapAttrsToList (device: refused { devices = [ device ]; }) {
      "kvm" = "is not below `/dev`";
      "/dev" = "is not below `/dev`";
      "/dev/" = "is not below `/dev`";
      "/srv/file" = "is not below `/dev`";
      "/dev/../etc/shadow" = "holds `.` or `..`";
      "/dev/./mem" = "holds `.` or `..`";
      "/dev//mem" = "empty part";
      "/dev/a b" = "another name of the node";
      "/dev/a:/etc" = "another name of the node";
      "/dev/kvm\tx" = "another name of the node";
      "/dev/shm" = "all of the host shares";
      "/dev/shm/x" = "all of the host shares";
    }
  );
  "memory of the kernel and whole disks are refused, unless jobs are trusted like root" = all (
    lib.concatMap
      (device: [
        (refused { devices = [ device ]; } "trustJobsLikeRoot")
        (silent {
          devices = [ device ];
          trustJobsLikeRoot = true;
        })
      ])
      [
        "/dev/mem"
        "/dev/kmem"
        "/dev/port"
        "/dev/sda"
        "/dev/sdb1"
        "/dev/nvme0"
        "/dev/nvme0n1p2"
        "/dev/vda"
        "/dev/dm-0"
        "/dev/mapper/root"
        "/dev/disk/by-label/nixos"
      ]
    ++ [
      (silent {
        devices = [
          "/dev/dri/renderD128"
          "/dev/loop-control"
          "/dev/snd/timer"
          "/dev/serial/by-id/usb-FTDI_x-if00-port0"
          "/dev/sgx_enclave"
        ];
      })
      (refused { deviceGroups = [ "a b" ]; } "`deviceGroups`")
      (told { deviceGroups = [ "docker" ]; } "can become root")
    ]
  );
  "every runner says which devices its jobs have" = {
    expected = [
      [
        "/dev/kvm"
        "group video"
      ]
      [
        "/dev/kvm"
        "group video"
      ]
    ];
    actual = mayOf (
      of {
        count = 2;
        kvm = true;
        deviceGroups = [ "video" ];
      } { }
    );
  };

  "namespaces relax three lines, and no other one" = {
    expected = {
      gone = [
        "DynamicUser=true"
        "RestrictNamespaces=true"
        "RestrictSUIDSGID=true"
        "SystemCallFilter=~@mount"
        "SystemCallFilter=~capset"
      ];
      new = [
        "DynamicUser=false"
        "RestrictNamespaces=false"
        "RestrictSUIDSGID=false"
        "User=ci"
      ];
      may = [ "namespaces" ];
    };
    actual =
      let
        changes = static { sandbox.namespaces = true; };
      in
      changed changes // { may = may changes; };
  };
  "sudo relaxes what stands for no new privileges, and finds programs with their setuid bit first" = {
    expected = {
      gone = [
        "CapabilityBoundingSet="
        "DynamicUser=true"
        "NoNewPrivileges=true"
        "PrivateUsers=true"
        "RestrictSUIDSGID=true"
        "SystemCallFilter=~@clock"
        "SystemCallFilter=~@cpu-emulation"
        "SystemCallFilter=~@module"
        "SystemCallFilter=~@mount"
        "SystemCallFilter=~@obsolete"
        "SystemCallFilter=~@raw-io"
        "SystemCallFilter=~@reboot"
        "SystemCallFilter=~capset"
        "SystemCallFilter=~setdomainname"
        "SystemCallFilter=~sethostname"
      ];
      new = [
        "CapabilityBoundingSet=~"
        "DynamicUser=false"
        "NoNewPrivileges=false"
        "PrivateUsers=false"
        "RestrictSUIDSGID=false"
        "User=ci"
      ];
      first = "/run/wrappers/bin";
      may = [ "sudo" ];
    };
    actual =
      let
        changes = trusted (static {
          sandbox.sudo = true;
        });
        lines = changed changes;
        isPath = lib.hasPrefix "Environment=\"PATH=";
        path = builtins.head (lib.filter isPath lines.new);
      in
      builtins.mapAttrs (_: lib.filter (line: !isPath line)) lines
      // {
        first = builtins.head (lib.splitString ":" (lib.removePrefix "Environment=\"PATH=" path));
        may = may changes;
      };
  };
  "with namespaces and sudo nothing of either is closed" = {
    expected = [
      "namespaces"
      "sudo"
    ];
    actual =
      let
        changes = trusted (static {
          sandbox.namespaces = true;
          sandbox.sudo = true;
        });
        config = service changes;
      in
      lib.optionals (!config ? SystemCallFilter && !config.RestrictNamespaces) (may changes);
  };
  "overrides win over what a profile relaxes" = {
    expected = {
      NoNewPrivileges = true;
      RestrictNamespaces = "user mnt";
      SystemCallFilter = [ "~@reboot" ];
      UMask = "0077";
    };
    actual = {
      inherit
        (service (
          trusted (static {
            sandbox = {
              namespaces = true;
              sudo = true;
              umask = "0022";
            };
            serviceOverrides = {
              NoNewPrivileges = true;
              RestrictNamespaces = "user mnt";
              SystemCallFilter = [ "~@reboot" ];
              UMask = "0077";
            };
          })
        ))
        NoNewPrivileges
        RestrictNamespaces
        SystemCallFilter
        UMask
        ;
    };
  };
  "a mask of permissions is one line" = {
    expected = {
      gone = [ "UMask=0066" ];
      new = [ "UMask=0022" ];
    };
    actual = changed { sandbox.umask = "0022"; };
  };
  "masks are octal and leave their owner the rights" =
    let
      accepted = umask: (builtins.tryEval (service { sandbox = { inherit umask; }; }).UMask).success;
    in
    {
      expected = [
        "022"
        "0077"
      ];
      actual = lib.filter accepted [
        "022"
        "0077"
        "0700"
        "0099"
        "22"
        "u=rwx"
      ];
    };
  "what a dynamic user can never do is refused" = all [
    (refused { sandbox.namespaces = true; } "`sandbox.namespaces` cannot work with a dynamic user")
    (refused (trusted {
      sandbox.sudo = true;
    }) "Set `createUser = true`, or `user`")
    (refused (trusted {
      sandbox.sudo = true;
      sandbox.namespaces = true;
    }) "`sandbox.namespaces` and `sandbox.sudo`")
    (refused (static {
      sandbox.namespaces = true;
      serviceOverrides.DynamicUser = lib.mkForce true;
    }) "dynamic user")
    (silent (static {
      sandbox.namespaces = true;
    }))
    (silent {
      sandbox.namespaces = true;
      serviceOverrides = {
        DynamicUser = false;
        User = "ci";
      };
    })
  ];
  "sudo is refused, unless jobs are trusted like root" = all [
    (refused (static {
      sandbox.sudo = true;
    }) "can read the tokens of all runners")
    (silent (
      trusted (static {
        sandbox.sudo = true;
      })
    ))
  ];

  "hosted programs come last in PATH, so that a configuration's own win" = {
    expected = [
      "bash"
      "extra"
      "openssh"
      "python3"
    ];
    actual =
      let
        inherit
          (unit {
            programs = "hosted";
            extraPackages = [ (pkgs.package "extra") ];
          })
          path
          ;
        short = package: lib.removeSuffix "Interactive" package.name;
        all = map short path;
      in
      lib.filter (
        name:
        builtins.elem name [
          "bash"
          "extra"
          "openssh"
          "python3"
        ]
      ) all;
  };
  "another name of a Node.js covers the package's directory with one that has it, in the unit alone" =
    let
      changes = {
        nodeAliases = {
          node16 = "node20";
          node20 = "node24";
        };
      };
      externals = pkgs.package "github-runner-one-externals";
    in
    {
      expected = {
        gone = [ ];
        new = [
          # Or garbage collection takes it from a runner that goes on after a switch.
          "Environment=\"GITHUB_RUNNER_EXTERNALS=${externals}\""
          "BindReadOnlyPaths=${externals}:${pkgs.github-runner}/lib/externals"
        ];
        may = null;
      };
      actual = changed changes // {
        may = may changes;
      };
    };
  "a Node.js that is none, or another name of itself, is refused" = all [
    (refused { nodeAliases."node20/../.." = "node24"; } "\"node20/../..\" as \"node24\"")
    (refused { nodeAliases.node20 = "$(id)"; } "names something else than a Node.js")
    (refused { nodeAliases.node20 = "nodejs_24"; } "for example `node20`")
    (refused { nodeAliases.node24 = "node24"; } "another name of itself")
    (silent {
      nodeAliases = {
        node16 = "node24";
        node20 = "node24";
        node20_alpine = "node24_alpine";
      };
    })
  ];

  "each program that the text of the option names is in PATH with hosted, and with minimal it is not" =
    let
      # Program → its package, where that has another name.
      packageOf = {
        ssh = "openssh";
        awk = "gawk";
        patch = "gnupatch";
        diff = "diffutils";
        ps = "procps";
        make = "gnumake";
      };
      text = (of { } { }).options.services.github-runners.type.getSubOptions [ ];
      sentence = builtins.head (
        builtins.match ".*These are ([^.]*)\\. They come.*" (
          builtins.replaceStrings [ " and\n" "\n" ] [ ", " " " ] text.programs.description
        )
      );
      named = map (program: packageOf.${program} or program) (lib.splitString ", " sentence);
      found =
        programs:
        let
          lines = lib.splitString "\n" (of { inherit programs; } { }).unitTexts."github-runner-one.service";
          path = builtins.head (lib.filter (lib.hasPrefix "Environment=\"PATH=") lines);
        in
        lib.filter (name: lib.hasInfix "-${name}/bin:" path) named;
    in
    {
      expected = {
        hosted = named;
        minimal = [ ];
        count = 19;
      };
      actual = {
        hosted = found "hosted";
        minimal = found "minimal";
        count = builtins.length named;
      };
    };
  "a hook is a file whose name says how it is run" = {
    expected = {
      gone = [ ];
      new = map (moment: "Environment=\"ACTIONS_RUNNER_HOOK_JOB_${moment.variable}=${moment.file}\"") [
        {
          variable = "COMPLETED";
          file = "${pkgs.package "github-runner-one-job-completed.sh"}";
        }
        {
          variable = "STARTED";
          file = "${pkgs.package "github-runner-one-job-started.sh"}";
        }
      ];
    };
    actual = changed {
      hooks.jobStarted = "echo begins";
      hooks.jobCompleted = "echo ends";
    };
  };
  "a hook that the runner would refuse is refused" = all [
    (refused {
      extraEnvironment.ACTIONS_RUNNER_HOOK_JOB_STARTED = pkgs.package "hook";
    } "ends in `.sh`, `.js` or `.ps1`")
    (refused {
      extraEnvironment.ACTIONS_RUNNER_HOOK_JOB_COMPLETED = "hook.sh";
    } "`ACTIONS_RUNNER_HOOK_JOB_COMPLETED` (hook.sh) is no absolute path")
    (profile.refusedWith { } {
      systemd.services.github-runner-one.environment.ACTIONS_RUNNER_HOOK_JOB_STARTED = "/etc/hook";
    } "`hooks.jobStarted`")
    (refused {
      hooks.jobStarted = "echo";
      extraEnvironment.ACTIONS_RUNNER_HOOK_JOB_STARTED = "/etc/hook.sh";
    } "two hooks for one moment")
    (silent {
      extraEnvironment.ACTIONS_RUNNER_HOOK_JOB_STARTED = "/etc/hook.js";
      extraEnvironment.ACTIONS_RUNNER_HOOK_JOB_COMPLETED = "";
    })
    (silent {
      hooks.jobStarted = "echo begins";
      hooks.jobCompleted = "echo ends";
    })
  ];
}
