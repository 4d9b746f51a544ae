# Machines for jobs of GitLab: what the module makes of them, against what the program prints for
# hosts without Nix.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit (builtins) attrNames fromJSON readFile;
  fixture = name: readFile (../../fixtures + "/${name}");
  inherit (import ../machines.nix { inherit host pkgs; })
    debian
    gitlab
    hostWith
    image
    plain
    settingsOf
    system
    ;

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

  allForwarding = "net.ipv4.conf.all.forwarding";

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
        lib.mapAttrsToList (key: value: "${key} = ${toString value}") (
          removeAttrs everything.config.boot.kernel.sysctl [ allForwarding ]
        )
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

  "forwarding is on where NixOS has it off by default, and a configuration decides otherwise" =
    let
      of = value: (plain { boot.kernel.sysctl.${allForwarding} = value; }).config.boot.kernel.sysctl;
    in
    {
      expected = {
        default = true;
        configured = false;
        other = 0;
      };
      actual = {
        default = (of (lib.mkDefault false)).${allForwarding};
        configured = (of false).${allForwarding};
        other =
          (plain { boot.kernel.sysctl."net.ipv4.ip_forward" = 0; })
          .config.boot.kernel.sysctl."net.ipv4.ip_forward";
      };
    };

  "the supervisor finds ip and nft" = {
    expected = [
      pkgs.iproute2.outPath
      pkgs.nftables.outPath
    ];
    actual = map (package: package.outPath) everything.services."gitlab-nspawn@".path;
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
