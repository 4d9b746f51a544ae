# Pools and scale sets of a fleet of GARM.
{ lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkOption types;

  # As the program takes it, which refuses more: src/frontend/fleet/refuse.rs.
  most = 100000;

  common = {
    entity = mkOption {
      type = types.str;
      example = "octo-org";
      description = ''
        Whose jobs: one of {option}`services.garm-fleet.repositories` or {option}`services.garm-fleet.organizations`.
      '';
    };
    provider = mkOption {
      type = types.nonEmptyStr;
      default = "incus";
      description = "Where instances are made: `incus`, or one of {option}`services.garm-fleet.providers`.";
    };
    image = mkOption {
      type = types.nonEmptyStr;
      default = "nixos-runner";
      example = "images:debian/13/cloud";
      description = "Alias of an image, as the server has it, or `remote:alias` of the provider's remotes.";
    };
    flavor = mkOption {
      type = types.nonEmptyStr;
      default = "runner";
      description = "Profile of the server: one of {option}`services.garm-fleet.incus.flavors` on hosts of NixOS.";
    };
    osType = mkOption {
      type = types.enum [
        "linux"
        "windows"
      ];
      default = "linux";
      description = "System of the image.";
    };
    osArch = mkOption {
      type = types.enum [
        "amd64"
        "arm64"
      ];
      default = if pkgs.stdenv.hostPlatform.isAarch64 or false then "arm64" else "amd64";
      defaultText = literalExpression ''if pkgs.stdenv.hostPlatform.isAarch64 then "arm64" else "amd64"'';
      description = "Architecture of the image.";
    };
    minIdleRunners = mkOption {
      type = types.ints.unsigned;
      default = 0;
      description = "How many runners wait for jobs, at least.";
    };
    maxRunners = mkOption {
      type = types.ints.between 1 most;
      default = 4;
      description = "How many runners there are, at most.";
    };
    bootstrapTimeoutMinutes = mkOption {
      type = types.ints.between 1 most;
      default = 20;
      description = "Minutes after which an instance that is not ready is made anew.";
    };
    runnerPrefix = mkOption {
      type = types.nonEmptyStr;
      default = "garm";
      description = "How names of runners begin.";
    };
    runnerGroup = mkOption {
      type = types.str;
      default = "";
      example = "fleet";
      description = "Runner group of an organization that runners join. It must exist. The empty one is GitHub's default.";
    };
    enabled = mkOption {
      type = types.bool;
      default = true;
      description = "Whether new runners are made. When this is off, those with a job finish it.";
    };
    extraSpecs = mkOption {
      type = types.attrs;
      default = { };
      example = {
        cpu = 4;
        memory = "8GiB";
      };
      description = ''
        Extra specs of the provider; see [GARM](garm.md#extra-specs-of-a-pool). They hold for instances that are made from then on. They are
        public: everyone on the host reads them in the store, and each instance gets its own. No secret belongs here.
      '';
    };
  };
in
{
  options.services.garm-fleet = {
    pools = mkOption {
      default = { };
      example = {
        small = {
          entity = "octo-org/example";
          tags = [ "incus" ];
        };
      };
      description = "Pools, which scale by webhooks, by names of yours. GARM has none for them; the pass remembers which is which.";
      type = types.attrsOf (
        types.submodule {
          options = common // {
            tags = mkOption {
              type = types.listOf types.nonEmptyStr;
              default = [ ];
              example = [ "incus" ];
              description = "Labels of its runners, of which a pool needs one.";
            };
            priority = mkOption {
              type = types.ints.unsigned;
              default = 0;
              description = "Which pool goes first with the balancer `pack`: the highest.";
            };
          };
        }
      );
    };

    scaleSets = mkOption {
      default = { };
      example = {
        nixos = {
          entity = "octo-org";
          maxRunners = 8;
        };
      };
      description = "Scale sets, which need no webhook, by names that are what jobs have in `runs-on`.";
      type = types.attrsOf (
        types.submodule {
          options = common // {
            labels = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "Further labels of its runners, for servers that know such.";
            };
          };
        }
      );
    };
  };
}
