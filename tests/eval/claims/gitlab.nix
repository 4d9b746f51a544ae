# Machines for jobs of GitLab: what the module makes of them, against what the program prints for
# hosts without Nix, what the documents say, and what is refused.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit (builtins) attrNames fromJSON readFile;
  fixture = name: readFile (../../fixtures + "/${name}");
  document = readFile ../../../docs/gitlab.md;

  hostWith = extra: host { inherit extra; };
  # The settings of the fixture, as options.
  everything = hostWith {
    services.ci-machines.images = {
      debian.root = "/var/lib/gitlab-nspawn-images/debian";
      nixos = {
        inherit system;
        nixDaemon = true;
      };
    };
    services.gitlab-nspawn = {
      enable = true;
      defaultImage = "debian";
      grace = 30;
      limits = {
        memory = "4G";
        tasks = 8192;
        cpuWeight = 20;
        ioWeight = 30;
        tmpfs = "8G";
      };
      network = {
        hostPorts = {
          tcp = [ 8080 ];
          udp = [ 5353 ];
        };
        resolvers = [ "192.0.2.53" ];
      };
      devices = [ "/dev/kvm" ];
      cache.limit = 10000000000;
      gitlabRunner = "/usr/bin/gitlab-runner";
      slots = 64;
    };
  };
  debian = {
    services.ci-machines.images.debian.root = "/var/lib/gitlab-nspawn-images/debian";
  };
  # A host to which nobody can object, with changes.
  plain =
    changes:
    hostWith {
      imports = [
        debian
        changes
      ];
      services.gitlab-nspawn.enable = true;
    };
  settingsOf = host: host.etc."gitlab-nspawn/settings.json".source;

  # Of the text that `gitlab-nspawn-executor units` prints: path → lines without comments.
  printed =
    let
      parts = lib.drop 1 (lib.splitString "\n# /" "\n${fixture "gitlab-nspawn-units"}");
      linesOf = lib.splitString "\n";
    in
    builtins.listToAttrs (
      map (
        part: lib.nameValuePair "/${builtins.head (linesOf part)}" (plainLines (lib.drop 1 (linesOf part)))
      ) parts
    );
  plainLines = lib.filter (line: line != "" && !lib.hasPrefix "#" line);

  # One text for both, where NixOS adds, sorts and spells otherwise.
  directives =
    lines:
    (builtins.foldl'
      (
        { section, found }:
        line:
        if lib.hasPrefix "[" line then
          {
            section = line;
            inherit found;
          }
        else
          {
            inherit section;
            found = found ++ [ "${section} ${line}" ];
          }
      )
      {
        section = "";
        found = [ ];
      }
      lines
    ).found;
  sorted = builtins.sort (a: b: a < b);
  comparable =
    lines: sorted (map (builtins.replaceStrings [ "=true" ] [ "=yes" ]) (directives lines));
  rendered =
    unit:
    let
      own = lib.filter (
        line: !lib.hasPrefix "Environment=" line && !lib.hasPrefix "X-RestartIfChanged=" line
      ) (plainLines (lib.splitString "\n" everything.unitTexts.${unit}));
      program = "${pkgs.package "gitlab-nspawn-executor"}/bin";
    in
    comparable (map (builtins.replaceStrings [ program ] [ "/usr/local/bin" ]) own);
  same = unit: {
    name = "the module's ${unit} is what the program prints";
    value = {
      expected = comparable printed."/etc/systemd/system/${unit}";
      actual = rendered unit;
    };
  };

  golden = unit: {
    name = "the unit ${unit} is the golden one";
    value = {
      expected = readFile (../golden + "/${unit}");
      actual = everything.unitTexts.${unit};
    };
  };
  units = [
    "gitlab-nspawn.slice"
    "gitlab-nspawn.socket"
    "gitlab-nspawn@.service"
  ];

  # Exactly one message, with the fault in it.
  fires =
    changes: fault:
    let
      messages = (plain changes).failures;
    in
    {
      expected = [ ];
      actual =
        if builtins.length messages == 1 && lib.hasInfix fault (builtins.head messages) then
          [ ]
        else
          messages ++ [ "which should be one message with: ${fault}" ];
    };
  evaluates =
    changes: (builtins.tryEval (builtins.deepSeq (settingsOf (plain changes)).text true)).success;
  image = changes: { services.ci-machines.images.other = changes; };
  gitlab = changes: { services.gitlab-nspawn = changes; };
  # A NixOS system at a place in the store, of which only the place is looked at.
  systemAt =
    hash:
    pkgs.package "nixos-system-image"
    // {
      outPath = "/nix/store/${hash}-nixos-system-image";
    };
  system = systemAt "00000000000000000000000000000000";

  # The flags of a runner as the keys of config.toml, in the way of `gitlab-runner register`.
  flagsOf =
    custom:
    sorted (
      lib.concatLists (
        lib.mapAttrsToList (
          key: value:
          map (one: "--custom-${builtins.replaceStrings [ "_" ] [ "-" ] key}=${toString one}") (
            lib.toList value
          )
        ) custom
      )
    );
  between =
    start: end:
    builtins.head (lib.splitString end (builtins.elemAt (lib.splitString start document) 1));
  documented = builtins.head (fromTOML (between "```toml\n" "```")).runners;
  toStable = builtins.replaceStrings [ "/usr/local/bin/" ] [ "/run/current-system/sw/bin/" ];

  example = hostWith {
    imports = [
      (
        arguments:
        # A flake's, of which the fake `pkgs.nixos` looks at nothing.
        import ../fixtures/gitlab-on-nixos.nix (arguments // { inputs = throw "not looked at"; })
      )
    ];
  };
in
builtins.listToAttrs (map same units ++ map golden units)
// {
  "a host that has no machines for GitLab has nothing of them" =
    let
      # With images, which another front end may use.
      with' = hostWith debian;
      without = host { runners.one = runner; };
    in
    {
      expected = {
        units = [ ];
        etc = [ "github-runners/fleet.json" ];
        groups = [ ];
        rules = [ ];
        sysctl = { };
        interfaces = [ ];
        packages = 1;
        runnerUnits = false;
      };
      actual = {
        units = lib.filter (lib.hasInfix "gitlab") (attrNames with'.unitTexts);
        etc = attrNames with'.etc;
        groups = attrNames with'.config.users.groups;
        rules = with'.tmpfilesRules;
        inherit (with'.config.boot.kernel) sysctl;
        interfaces =
          with'.config.networking.dhcpcd.denyInterfaces ++ with'.config.networking.networkmanager.unmanaged;
        packages = builtins.length with'.config.environment.systemPackages;
        runnerUnits = lib.any (lib.hasInfix "gitlab") (attrNames without.unitTexts);
      };
    };

  "the module writes the settings that programs read in their tests" = {
    expected = fromJSON (fixture "gitlab-nspawn-settings.json");
    actual = fromJSON (settingsOf everything).text;
  };

  "what is not configured is not in the settings" = {
    expected = {
      machines = {
        images.debian = {
          root = "/var/lib/gitlab-nspawn-images/debian";
          boot = true;
          nixDaemon = false;
        };
        limits.tasks = 16384;
        network = {
          mode = "private";
          hostPorts = {
            tcp = [ ];
            udp = [ ];
          };
          resolvers = [ ];
        };
        devices = [ ];
        slots = 256;
        uidBase = 1879048192;
      };
      grace = 20;
    };
    actual = fromJSON (settingsOf (plain { })).text;
  };

  "settings are checked in their build by the program that reads them" = {
    expected = ''${pkgs.package "gitlab-nspawn-executor"}/bin/gitlab-nspawn-executor config --settings "$target" > /dev/null'';
    actual = (settingsOf everything).checkPhase;
  };

  "a host that cannot run the program does not check the settings" = {
    expected = "";
    actual =
      (settingsOf (host {
        pkgs = pkgs // {
          stdenv = {
            buildPlatform.canExecute = _: false;
            hostPlatform = { };
          };
        };
        extra = {
          imports = [ debian ];
          services.gitlab-nspawn.enable = true;
        };
      })).checkPhase;
  };

  "group, boot rule and forwarding are what the program prints" = {
    expected = {
      group = printed."/etc/sysusers.d/gitlab-nspawn.conf";
      rules = printed."/etc/tmpfiles.d/gitlab-nspawn.conf";
      sysctl = sorted printed."/etc/sysctl.d/60-gitlab-nspawn.conf";
    };
    actual = {
      group = map (group: "g ${group} -") (attrNames everything.config.users.groups);
      rules = everything.tmpfilesRules;
      sysctl = sorted (
        lib.mapAttrsToList (key: value: "${key} = ${toString value}") everything.config.boot.kernel.sysctl
      );
    };
  };

  "the module has a counterpart of every file that the program prints" = {
    expected = sorted (
      map (unit: "/etc/systemd/system/${unit}") units
      ++ [
        "/etc/sysctl.d/60-gitlab-nspawn.conf"
        "/etc/sysusers.d/gitlab-nspawn.conf"
        "/etc/tmpfiles.d/gitlab-nspawn.conf"
      ]
    );
    actual = attrNames printed;
  };

  "only private networks need forwarding, and interfaces that nobody else configures" =
    let
      of =
        mode:
        let
          inherit
            (plain (gitlab {
              network = { inherit mode; };
            }))
            config
            ;
        in
        [
          (attrNames config.boot.kernel.sysctl != [ ])
          config.networking.dhcpcd.denyInterfaces
          config.networking.networkmanager.unmanaged
        ];
      none = [
        false
        [ ]
        [ ]
      ];
    in
    {
      expected = [
        [
          true
          [ "glnspawn*" ]
          [ "interface-name:glnspawn*" ]
        ]
        none
        none
      ];
      actual = map of [
        "private"
        "host"
        "none"
      ];
    };

  "a setting of the kernel that a configuration has wins" = {
    expected = 0;
    actual =
      (plain { boot.kernel.sysctl."net.ipv4.ip_forward" = 0; })
      .config.boot.kernel.sysctl."net.ipv4.ip_forward";
  };

  "the supervisor finds ip and nft" = {
    expected = [
      pkgs.iproute2.outPath
      pkgs.nftables.outPath
    ];
    actual = map (package: package.outPath) everything.services."gitlab-nspawn@".path;
  };

  "gitlab-runner gets the group where it runs, and no unit where it does not" =
    let
      running = plain {
        services.gitlab-runner.enable = true;
        systemd.services.gitlab-runner = {
          description = "GitLab's runner";
          serviceConfig.SupplementaryGroups = [ "docker" ];
        };
      };
    in
    {
      expected = {
        running = [
          "docker"
          "gitlab-nspawn"
        ];
        other = false;
      };
      actual = {
        running = sorted running.services.gitlab-runner.serviceConfig.SupplementaryGroups;
        other = (plain { }).services ? gitlab-runner;
      };
    };

  "another image changes neither units nor flags of a runner" =
    let
      with' = image: plain { services.ci-machines.images.nixos.system = image; };
      seen = host: [
        host.unitTexts
        host.config.services.gitlab-nspawn.runner
      ];
      other = systemAt "11111111111111111111111111111111";
    in
    {
      expected = {
        outside = seen (with' system);
        settings = true;
      };
      actual = {
        outside = seen (with' other);
        settings = (settingsOf (with' system)).text != (settingsOf (with' other)).text;
      };
    };

  "a runner's flags hold no path of the store" = {
    expected = false;
    actual =
      lib.hasInfix "/nix/store" (builtins.toJSON everything.config.services.gitlab-nspawn.runner)
      || builtins.hasContext (builtins.toJSON everything.config.services.gitlab-nspawn.runner);
  };

  "a runner's flags are the config.toml of the documents" = {
    expected = {
      inherit (documented) executor;
      flags = sorted (map toStable (flagsOf documented.custom ++ [ "--shell=${documented.shell}" ]));
    };
    actual = {
      inherit ((plain { }).config.services.gitlab-nspawn.runner) executor;
      flags = sorted (plain { }).config.services.gitlab-nspawn.runner.registrationFlags;
    };
  };

  "gitlab-runner waits longer than a script has" = {
    expected = [ "--custom-graceful-kill-timeout=640" ];
    actual =
      lib.filter (lib.hasInfix "graceful")
        (plain (gitlab {
          grace = 600;
        })).config.services.gitlab-nspawn.runner.registrationFlags;
  };

  "the example of the documents is one that is evaluated" = {
    expected = true;
    actual =
      builtins.replaceStrings [ (readFile ../fixtures/gitlab-on-nixos.nix) ] [ "" ] document != document;
  };

  "the example of the documents makes a runner whose jobs get machines" = {
    expected = {
      failures = [ ];
      default = "nixos";
      images = [
        "debian"
        "nixos"
      ];
      system = "${(pkgs.nixos { }).config.system.build.toplevel}";
      executor = "custom";
      flags = (plain { }).config.services.gitlab-nspawn.runner.registrationFlags;
      limit = 4;
    };
    actual =
      let
        settings = fromJSON (settingsOf example).text;
        entry = example.config.services.gitlab-runner.services.machines;
      in
      {
        inherit (example) failures;
        default = settings.defaultImage;
        images = attrNames settings.machines.images;
        inherit (settings.machines.images.nixos) system;
        inherit (entry) executor limit;
        flags = entry.registrationFlags;
      };
  };

  "an image is brought along by its settings" = {
    expected = true;
    actual = lib.hasInfix "\"system\":\"${(pkgs.nixos { }).config.system.build.toplevel}\"" (settingsOf example)
    .text;
  };

  "the settings of the documents are ones that the module can make" =
    let
      text = fromJSON (between "```json\n" "```");
      made = hostWith {
        services.ci-machines = { inherit (text.machines) images; };
        services.gitlab-nspawn = {
          enable = true;
          inherit (text) defaultImage;
          inherit (text.machines) gitlabRunner limits network;
        };
      };
    in
    {
      expected = text.machines.limits // {
        inherit (text) defaultImage;
        images = attrNames text.machines.images;
        inherit (text.machines) gitlabRunner;
        inherit (text.machines.network) mode;
      };
      actual =
        let
          settings = fromJSON (settingsOf made).text;
        in
        settings.machines.limits
        // {
          inherit (settings) defaultImage;
          images = attrNames settings.machines.images;
          inherit (settings.machines) gitlabRunner;
          inherit (settings.machines.network) mode;
        };
    };

  "machines without an image are refused" = {
    expected = [
      "`services.gitlab-nspawn` has no image, so no job could run. Add one to `services.ci-machines.images`."
    ];
    actual = (hostWith { services.gitlab-nspawn.enable = true; }).failures;
  };
  "a default image that is none is refused with the list of images" = fires (gitlab {
    defaultImage = "fedora";
  }) "Use one of `debian`, or add it there.";
  "an image from nowhere is refused" = fires (image
    { }
  ) "`services.ci-machines.images.other`: it has neither `root` nor `system`";
  "an image from two places is refused" = fires (image {
    inherit system;
    root = "/image";
  }) "it has both `root` and `system`";
  "a system without its init is refused" = fires (image {
    inherit system;
    boot = false;
  }) "a `system` needs `boot`";
  "a directory without its init is accepted" = {
    expected = [ ];
    actual =
      (plain (image {
        root = "/image";
        boot = false;
      })).failures;
  };
  "the Nix daemon of a host without one is refused" = fires {
    imports = [
      (image {
        root = "/image";
        nixDaemon = true;
      })
    ];
    nix.enable = false;
  } "`nix.enable` is off";
  "ids between two ranges are refused" = fires (gitlab { uidBase = 100000; }) "no multiple of 65536";
  "ids that reach into systemd's are refused" = fires (gitlab {
    uidBase = 2147287040;
  }) "Lower one of them";
  "ids of a user are refused with the user's name" = fires {
    users.users.builder.subUidRanges = [
      {
        startUid = 1879113728;
        count = 65536;
      }
    ];
  } "of which `users.users.builder` has some";
  "group ids of a user are refused as well" = fires {
    users.users.builder.subGidRanges = [
      {
        startGid = 1879048191;
        count = 2;
      }
    ];
  } "of which `users.users.builder` has some";
  "ids of a user right beside those of machines are accepted" = {
    expected = [ ];
    actual =
      (plain {
        users.users.builder.subUidRanges = [
          {
            startUid = 1878982656;
            count = 65536;
          }
          {
            startUid = 1879048192 + 65536 * 257;
            count = 65536;
          }
        ];
      }).failures;
  };

  "values that no machine could have are refused by their types" = {
    expected = [ ];
    actual = lib.filter (changes: evaluates (gitlab changes)) [
      { limits.memory = "much"; }
      { limits.memory = "4 G"; }
      { limits.tmpfs = "1G,mode=777"; }
      { limits.tasks = 0; }
      { limits.cpuWeight = 0; }
      { limits.ioWeight = 10001; }
      { network.mode = "bridge"; }
      { network.hostPorts.tcp = [ 65536 ]; }
      { devices = [ "/etc/passwd" ]; }
      { devices = [ "/dev/kvm rw" ]; }
      { cache = { }; }
      { cache.limit = 0; }
      { grace = 0; }
      { grace = 601; }
      { slots = 0; }
      { slots = 1025; }
      { uidBase = 0; }
    ];
  };
  "values beside them are accepted" = {
    expected = [ ];
    actual = lib.filter (changes: !evaluates (gitlab changes)) [
      { limits.memory = "50%"; }
      { limits.memory = "1073741824"; }
      { limits.cpuWeight = 10000; }
      { network.mode = "none"; }
      { cache.limit = 1; }
      { grace = 600; }
      { slots = 1024; }
      { devices = [ "/dev/dri/renderD128" ]; }
    ];
  };

  "a path of Nix as an image's root stays where it is" = {
    expected = toString ../fixtures;
    actual =
      (fromJSON
        (settingsOf (
          plain (image {
            root = ../fixtures;
          })
        )).text
      ).machines.images.other.root;
  };

  "an image for machines has what stages of jobs call" = {
    expected = {
      container = true;
      packages = [
        "bashInteractive"
        "git"
        "gitlab-runner"
      ];
    };
    actual =
      let
        guest = import ../../../nixos/machines/guest.nix {
          inherit lib;
          pkgs = pkgs // {
            gitlab-runner = pkgs.package "gitlab-runner";
          };
        };
      in
      {
        container = guest.boot.isContainer;
        packages = map (package: package.name) guest.environment.systemPackages;
      };
  };
}
