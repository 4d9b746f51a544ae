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

  # The settings of the fixture, as options, and what is in no settings.
  everything = beside {
    services.ci-machines.images.nixos.root = "/var/lib/gitlab-nspawn-images/nixos";
    services.github-runner-on-demand = {
      nginx.enable = true;
      runnerGroup = "on-demand";
      githubApp = {
        id = "Iv23liExampleExample";
        privateKeyFile = "/run/secrets/app.pem";
      };
      brokerEnvironment.SSL_CERT_FILE = "/etc/ssl/example.pem";
      compatible.prefix = "rr_runner_";
      repositories = {
        "octo-org/example" = {
          id = lib.mkForce 123456;
          ownerId = 42;
          proofs = [
            "queue"
            "oidc"
          ];
          forks = true;
        };
        "octo-org/other" = {
          id = 123457;
          proofs = [ "none" ];
        };
      };
      classes = {
        arm64 = {
          max = 1;
          ttl = "30min";
          processors = 2;
          pricePerHour = 1.6;
          incus = {
            image = "nixos";
            virtualMachine = true;
            cpu = "2";
            memory = "4GiB";
          };
        };
        host = {
          max = 2;
          processors = 4;
          architecture = "x86_64";
          notOnline = 120;
          allowForks = false;
        };
        x86_64 = {
          processors = 4;
          allowForks = true;
          nspawn.image = "nixos";
        };
      };
      limits = {
        open = 6;
        unproven = 2;
        costPerDay = 40;
      };
    };
  };
}
