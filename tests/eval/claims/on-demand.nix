# Runners on demand: their settings, manifests and brokers, and what is turned on with them.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit (builtins)
    attrNames
    elem
    fromJSON
    readFile
    ;
  inherit
    (import ../orders.nix {
      inherit
        host
        lib
        pkgs
        ;
    })
    beside
    class
    everything
    manifestOf
    partsOf
    plain
    repository
    settingsOf
    ;

  one = plain { };
  properties = (settingsOf one).brokerProperties;
  valuesOf =
    name: map (lib.removePrefix "${name}=") (lib.filter (lib.hasPrefix "${name}=") properties);
in
{
  "a host without runners on demand has nothing of them" =
    let
      without = host { runners.one = runner; };
    in
    {
      expected = {
        units = [ ];
        etc = [ "github-runners/fleet.json" ];
        users = [ ];
        nginx = false;
      };
      actual = {
        units = lib.filter (lib.hasInfix "on-demand") (attrNames without.unitTexts);
        etc = attrNames without.etc;
        users = attrNames without.config.users.users ++ attrNames without.config.users.groups;
        nginx = without.config.services.nginx.enable;
      };
    };

  "a host to which nobody can object is not objected to" = {
    expected = {
      failures = [ ];
      warnings = [ ];
    };
    actual = {
      failures = one.failures ++ everything.failures;
      warnings = one.warnings ++ everything.warnings;
    };
  };

  # But for the sandbox of brokers and the place of the manifest. The fixture leaves limits to the program.
  "the module writes the settings that programs read in their tests on demand, with the program's limits" =
    let
      ofClass =
        class:
        class
        // {
          kind = builtins.mapAttrs (_: given) class.kind;
        };
      given = lib.filterAttrs (_: value: value != null);
      comparable =
        settings:
        given (
          removeAttrs settings [
            "brokerProperties"
            "manifest"
          ]
          // {
            classes = builtins.mapAttrs (_: ofClass) settings.classes;
            limits = {
              open = 8;
              perRepository = 8;
              perRun = 4;
              perRunEver = 16;
              forks = 2;
              unproven = 2;
              waiting = 32;
              waitingPerSource = 8;
              startsPerHour = 60;
              breaker = 3;
              pause = 900;
            }
            // settings.limits;
            repositories = map given settings.repositories;
          }
        );
    in
    {
      expected = comparable (fromJSON (readFile ../../fixtures/on-demand-settings-v1.json));
      actual = comparable (settingsOf everything);
    };

  "paths, other limits and other instances reach the settings" =
    let
      settings = settingsOf (beside {
        services.github-runnerctl.metrics.textfileDirectory = "/var/lib/node-exporter-textfiles";
        services.github-runner-on-demand = {
          tokenFile = "/run/secrets/token";
          limits = {
            processors = 32;
            pause = "10min";
          };
          classes.other.incus = {
            socket = "/var/snap/lxd/common/lxd/unix.socket";
            project = "runners";
            image = "runner";
            profiles = [
              "default"
              "runner"
            ];
            disk = "40GiB";
          };
        };
      });
    in
    {
      expected = {
        textfileDirectory = "/var/lib/node-exporter-textfiles";
        processors = 32;
        pause = 600;
        incus = {
          socket = "/var/snap/lxd/common/lxd/unix.socket";
          project = "runners";
          image = "runner";
          profiles = [
            "default"
            "runner"
          ];
          virtualMachine = false;
          disk = "40GiB";
        };
      };
      actual = {
        inherit (settings) textfileDirectory;
        inherit (settings.limits) pause processors;
        inherit (settings.classes.other.kind) incus;
      };
    };

  "what is not configured on demand is not in the settings" = {
    expected = {
      fields = [
        "address"
        "broker"
        "brokerProperties"
        "classes"
        "limits"
        "manifest"
        "prefix"
        "repositories"
        "version"
      ];
      repositories = [
        {
          name = "octo-org/example";
          id = 7;
          forks = false;
          proofs = [ "queue" ];
        }
      ];
      limits = [
        "breaker"
        "forks"
        "open"
        "pause"
        "perRepository"
        "perRun"
        "perRunEver"
        "startsPerHour"
        "waiting"
        "waitingPerSource"
      ];
    };
    actual = {
      fields = attrNames (settingsOf one);
      inherit (settingsOf one) repositories;
      limits = attrNames (settingsOf one).limits;
    };
  };

  "settings on demand are checked in their build by the program that reads them" = {
    expected = ''${pkgs.package "github-runnerctl"}/bin/github-runnerctl on-demand check "$target"'';
    actual = one.etc."github-runner-on-demand/settings.json".source.checkPhase;
  };

  "a host that cannot run the program does not check the settings on demand" = {
    expected = "";
    actual =
      (host {
        pkgs = pkgs // {
          stdenv = {
            buildPlatform.canExecute = _: false;
            hostPlatform = { };
          };
        };
        extra.services.github-runner-on-demand = {
          enable = true;
          address = "https://ci.example.org";
          url = "https://github.com/octo-org";
        };
      }).etc."github-runner-on-demand/settings.json".source.checkPhase;
  };

  "prices are ten-thousandths, rounded up" = {
    expected = [
      0
      1
      700
      16000
      20000
    ];
    actual =
      map
        (
          pricePerHour:
          (settingsOf (plain {
            classes.host = { inherit pricePerHour; };
            limits.costPerDay = 1;
          })).classes.host.pricePerHour
        )
        [
          0
          1.0e-5
          7.0e-2
          1.6
          2
        ];
  };

  "only the broker that looks things up is told of repositories" =
    let
      manifest = manifestOf everything;
      ofClass = fromJSON (partsOf everything).manifests.host.text;
    in
    {
      expected = {
        instance = "on-demand";
        repositories = [
          {
            name = "octo-org/example";
            id = 123456;
          }
          {
            name = "octo-org/other";
            id = 123457;
          }
        ];
        method = "jit";
        ephemeral = true;
        noDefaultLabels = true;
        runnerGroup = "on-demand";
        key = "/run/secrets/app.pem";
        brokerEnvironment.SSL_CERT_FILE = "/etc/ssl/example.pem";
        class = "on-demand-host";
        classRepositories = false;
      };
      actual = {
        inherit (manifest)
          brokerEnvironment
          instance
          method
          repositories
          ;
        inherit (manifest.registration) ephemeral noDefaultLabels runnerGroup;
        key = manifest.githubApp.privateKeyFile;
        class = ofClass.instance;
        classRepositories = ofClass ? repositories;
      };
    };

  "brokers of orders share a user and what they keep with the one that has a unit" =
    let
      inherit (one.services."github-runner-broker-on-demand@") serviceConfig;
    in
    {
      expected = {
        User = [ serviceConfig.User ];
        RuntimeDirectory = [ serviceConfig.RuntimeDirectory ];
        RuntimeDirectoryMode = [ "0700" ];
        RuntimeDirectoryPreserve = [ "true" ];
        DynamicUser = [ "true" ];
      };
      actual = lib.mapAttrs' (name: _: lib.nameValuePair name (valuesOf name)) {
        User = null;
        RuntimeDirectory = null;
        RuntimeDirectoryMode = null;
        RuntimeDirectoryPreserve = null;
        DynamicUser = null;
      };
    };

  "brokers of orders have the sandbox of brokers, and see neither orders nor their registrations" =
    let
      passes = (fromJSON one.etc."github-runners/fleet.json".source.text).brokerProperties;
      closed = [
        "-/var/lib/github-runner-on-demand"
        "-/run/github-runner-on-demand/manifests/doors"
        "-/run/github-runner-on-demand/orders"
        "-/run/github-runner-order"
      ];
    in
    {
      expected = {
        missing = [ ];
        open = [ ];
      };
      actual = {
        missing = lib.subtractLists properties passes;
        open = lib.subtractLists (valuesOf "InaccessiblePaths") closed;
      };
    };

  "variables for the server reach every broker and no runner" =
    let
      result = plain { brokerEnvironment.https_proxy = "http://proxy.example.org:3128"; };
    in
    {
      expected = {
        unit = "http://proxy.example.org:3128";
        order = true;
        runner = false;
      };
      actual = {
        unit = result.services."github-runner-broker-on-demand@".environment.https_proxy;
        order = elem ''Environment="https_proxy=http://proxy.example.org:3128"'' (settingsOf result)
        .brokerProperties;
        runner = result.services."github-runner-on-demand-host@".environment ? https_proxy;
      };
    };

  "runs of forks have virtual machines by default, and other classes only where they are allowed" =
    let
      of =
        changes:
        (settingsOf (plain {
          classes.other = changes;
        })).classes.other.forks;
      virtual.incus = {
        image = "runner";
        virtualMachine = true;
      };
    in
    {
      expected = [
        false
        false
        true
        false
        true
      ];
      actual = map of [
        { local = { }; }
        { incus.image = "runner"; }
        virtual
        (virtual // { allowForks = false; })
        {
          local = { };
          allowForks = true;
        }
      ];
    };

  "classes of nspawn turn their supervisor on, and a configuration decides otherwise" =
    let
      of =
        changes:
        (beside {
          imports = [ changes ];
          services.ci-machines.images.debian.root = "/image";
          services.github-runner-on-demand = {
            tokenFile = "/run/secrets/token";
            classes.machine.nspawn.image = "debian";
          };
        }).config.services.gitlab-nspawn.enable;
    in
    {
      expected = {
        without = false;
        default = true;
        configured = false;
      };
      actual = {
        without = one.config.services.gitlab-nspawn.enable;
        default = of { };
        configured = of { services.gitlab-nspawn.enable = false; };
      };
    };

  "nginx says who asks, and lets nobody ask too often" =
    let
      inherit (everything.config.services) nginx;
      location = nginx.virtualHosts."ci.example.org".locations."/";
      says = part: lib.hasInfix "${part};\n" location.extraConfig;
    in
    {
      expected = {
        hosts = [ "ci.example.org" ];
        enable = true;
        forceSSL = true;
        enableACME = true;
        proxyPass = "http://unix:/run/github-runner-door/http.sock:";
        recommendedProxySettings = false;
        unsaid = [ ];
        zone = "limit_req_zone $binary_remote_addr zone=github-runner-door:1m rate=10r/m;\n";
      };
      actual = {
        hosts = attrNames nginx.virtualHosts;
        inherit (nginx) enable;
        inherit (nginx.virtualHosts."ci.example.org") enableACME forceSSL;
        inherit (location) proxyPass recommendedProxySettings;
        unsaid = lib.filter (part: !says part) [
          "client_max_body_size 16k"
          "limit_req zone=github-runner-door burst=20 nodelay"
          "proxy_buffering off"
          "proxy_read_timeout 330s"
          "proxy_set_header Connection close"
          "proxy_set_header X-Real-IP $remote_addr"
        ];
        zone = nginx.commonHttpConfig;
      };
    };

  "a configuration decides about certificates" = {
    expected = {
      enableACME = false;
      forceSSL = true;
    };
    actual = {
      inherit
        ((beside {
          services.nginx.virtualHosts."ci.example.org".enableACME = false;
          services.github-runner-on-demand = {
            nginx.enable = true;
            tokenFile = "/run/secrets/token";
          };
        }).config.services.nginx.virtualHosts."ci.example.org"
        )
        enableACME
        forceSSL
        ;
    };
  };

  "times are seconds or have a unit" = {
    expected = [
      90
      90
      900
      7200
    ];
    actual =
      map
        (
          noJob:
          (settingsOf (
            class "host" {
              inherit noJob;
            }
          )).classes.host.noJob
        )
        [
          90
          "90s"
          "15min"
          "2h"
        ];
  };

  "the settings name no secret" = {
    expected = false;
    actual = lib.hasInfix "/run/secrets" one.etc."github-runner-on-demand/settings.json".source.text;
  };

  "a repository's owner is only in the settings if it is known" = {
    expected = [
      false
      8
    ];
    actual = [
      ((builtins.head (settingsOf one).repositories) ? owner)
      (builtins.head
        (settingsOf (repository {
          ownerId = 8;
        })).repositories
      ).owner
    ];
  };
}
