# What runners of a class of kind `local` are on this host.
pkgs:

{ lib, ... }:

let
  inherit (lib) mkOption types;

  limits = import ./limits.nix;
in
{
  imports = [ (import ./jobs.nix pkgs) ];

  options = {
    extraEnvironment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        CI_CACHE = "/var/cache/ci";
      };
      description = ''
        Environment variables of the runners and of their jobs. They win over the ones that this module sets, also over those of
        {option}`networking.proxy`, except for `RUNNER_ROOT`. The values end up in the store, so put no secret here.
      '';
    };

    workDirSize = mkOption {
      type = types.either types.ints.positive (types.strMatching "[1-9][0-9]*[KMGT%]?");
      default = "25%";
      example = "8G";
      description = ''
        How much the work directory of one runner can hold, in bytes, with a suffix, or as a share of the host's memory. It lies in
        memory.
      '';
    };

    logs = {
      maxAge = mkOption {
        type = types.ints.positive;
        default = 30;
        example = 7;
        description = "For how many days the listeners' logs of this class are kept in `/var/log/github-runner/on-demand-‹name›`.";
      };

      maxSize = mkOption {
        type = types.ints.positive;
        default = 128;
        example = 1024;
        description = "How many MiB of the listeners' logs are kept for the class; the oldest ones go first.";
      };
    };

    resources = mkOption {
      type = types.submodule {
        imports = [ (limits "each runner") ];
        options.pool = mkOption {
          type = types.submodule (limits "all runners of this class together");
          default = { };
          example = {
            memoryMax = "48G";
          };
          description = "Limits of all runners of this class together, as directives of their slice, with the same names.";
        };
      };
      default = { };
      example = {
        memoryMax = "8G";
      };
      description = "What runners may use of the machine, as {option}`services.github-runners.<name>.resources` has it.";
    };
  };
}
