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

  # The switch fails with exactly one message, with the fault in it.
  says =
    host: fault:
    let
      messages = host.failures;
    in
    {
      expected = [ ];
      actual =
        if builtins.length messages == 1 && lib.hasInfix fault (builtins.head messages) then
          [ ]
        else
          messages ++ [ "which should be one message with: ${fault}" ];
    };
  # No switch fails.
  accepted = hosts: {
    expected = [ ];
    actual = lib.concatMap (host: host.failures) hosts;
  };

  # A class on EC2 to which nobody can object, where a day's cost is limited.
  instances = {
    architecture = "x86_64";
    pricePerHour = 0.23;
    ec2 = {
      region = "eu-central-1";
      credentialFile = "/run/secrets/aws";
      image.id = "ami-0123456789abcdef0";
      types = [ "c7i.xlarge" ];
      subnets = [ "subnet-0123456789abcdef0" ];
      securityGroups = [ "sg-0123456789abcdef0" ];
    };
  };
  # The same as `plain` with that class, changes of it, and of its options `ec2`.
  onEc2With =
    further: changes:
    plain {
      classes.pmu = instances // { ec2 = instances.ec2 // changes; } // further;
      limits.costPerDay = 40;
    };
  onEc2 = onEc2With { };
  cloudManifestOf = host: builtins.fromJSON (partsOf host).cloudManifests.pmu.text;

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
        # As the fixture of the cloud's manifest has it.
        pmu = {
          max = 2;
          processors = 4;
          pricePerHour = 0.23;
          architecture = "x86_64";
          ec2 = {
            region = "eu-central-1";
            credentialFile = "/run/secrets/aws";
            types = [
              "c7i.xlarge"
              "m7i.xlarge"
            ];
            subnets = [
              "subnet-0000000000000000a"
              "subnet-0000000000000000b"
            ];
            securityGroups = [ "sg-00000000000000001" ];
            publicAddress = true;
            runner = {
              version = "2.330.0";
              hash = lib.concatMapStrings (_: "0") (lib.range 1 64);
            };
          };
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
