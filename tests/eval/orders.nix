# Hosts with runners on demand, for the claims about them.
{
  lib,
  pkgs,
  host,
}:

rec {
  hostWith = runners: extra: host { inherit extra runners; };

  # A host to which nobody can object, with changes of the configuration.
  beside =
    changes:
    hostWith { } {
      imports = [ changes ];
      services.github-runner-on-demand = {
        enable = true;
        address = lib.mkDefault "https://ci.example.org";
        url = lib.mkDefault "https://github.com/octo-org";
        repositories."octo-org/example".id = 7;
        classes.host.local = { };
      };
    };
  # The same with changes of its options, and a token unless they say otherwise.
  plain =
    changes:
    beside {
      services.github-runner-on-demand = {
        tokenFile = lib.mkDefault "/run/secrets/token";
      }
      // changes;
    };

  # The same, and another class.
  class = name: changes: plain { classes.${name} = changes; };
  repository = changes: plain { repositories."octo-org/example" = changes; };

  settingsOf = host: builtins.fromJSON host.etc."github-runner-on-demand/settings.json".source.text;

  # Files that nothing but units name.
  partsOf =
    host:
    import ../../nixos/frontends/on-demand-parts.nix {
      inherit lib pkgs;
      inherit (host) config;
    };
  manifestOf = host: builtins.fromJSON (partsOf host).manifest.text;

  # Everything that can be said about runners on demand.
  everything = beside {
    services.ci-machines.images.debian.root = "/var/lib/gitlab-nspawn-images/debian";
    services.github-runnerctl.metrics.textfileDirectory = "/var/lib/node-exporter-textfiles";
    services.github-runner-on-demand = {
      nginx.enable = true;
      runnerGroup = "on-demand";
      githubApp = {
        id = "Iv23liExampleExample";
        privateKeyFile = "/run/secrets/app.pem";
      };
      brokerEnvironment.SSL_CERT_FILE = "/etc/ssl/example.pem";
      prefix = "ci";
      compatible.prefix = "rr_runner_";
      repositories."octo-org/example" = {
        ownerId = 8;
        proofs = [
          "oidc"
          "queue"
        ];
        forks = true;
      };
      repositories."octo-org/other" = {
        id = 9;
        proofs = [
          "artifact"
          "none"
        ];
      };
      classes = {
        host = {
          allowForks = false;
          architecture = "x86_64";
        };
        machine = {
          max = 2;
          ttl = 1800;
          notOnline = "90s";
          noJob = "2min";
          processors = 2;
          allowForks = true;
          nspawn.image = "debian";
        };
        x86_64 = {
          ttl = "6h";
          pricePerHour = 1.6;
          processors = 4;
          incus = {
            socket = "/var/snap/lxd/common/lxd/unix.socket";
            project = "runners";
            image = "runner";
            profiles = [
              "default"
              "runner"
            ];
            virtualMachine = true;
            cpu = "4";
            memory = "8GiB";
            disk = "40GiB";
          };
        };
      };
      limits = {
        open = 10;
        perRepository = 9;
        perRun = 5;
        perRunEver = 20;
        forks = 3;
        unproven = 2;
        waiting = 40;
        waitingPerSource = 10;
        processors = 32;
        startsPerHour = 50;
        costPerDay = 40;
        breaker = 4;
        pause = "10min";
      };
    };
  };
}
