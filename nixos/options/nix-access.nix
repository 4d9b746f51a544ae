# What jobs may ask of the host's Nix daemon, and where that looks for finished builds.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.nix = {
    access = mkOption {
      type = types.nullOr (
        types.enum [
          "allowed"
          "trusted"
        ]
      );
      default = null;
      example = "allowed";
      description = ''
        Opens: jobs can build with the Nix daemon (`allowed`), or are root on this host by it (`trusted`).

        It adds the users of these runners, also dynamic ones, to `extra-allowed-users` or `extra-trusted-users` of
        {option}`nix.settings`. NixOS lets everybody build, so `allowed` matters only where `allowed-users` says less. Whoever is
        trusted names any substituter and any builder; that is warned of unless {option}`trustJobsLikeRoot` is on.
        For a cache, {option}`nix.substituters` is enough, and nobody has to be trusted.
      '';
    };

    substituters = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "https://example.cachix.org" ];
      description = ''
        Opens: the Nix daemon downloads finished builds from here, **for the whole host**, and not for these runners alone.

        They are added to `extra-substituters` of {option}`nix.settings`.
      '';
    };

    trustedPublicKeys = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "example.cachix.org-1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" ];
      description = ''
        Opens: the Nix daemon takes builds that are signed by these keys, **for the whole host**; whoever has one can put any
        program there.

        They are added to `extra-trusted-public-keys` of {option}`nix.settings`.
      '';
    };

    holdGarbageCollection = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: jobs can put off the host's garbage collection, by a day at most each time it is due.

        `nix-gc.service`, which {option}`nix.gc.automatic` starts, then waits before it collects until none of these runners has a job.
        After a day it collects all the same, and says so. **It may collect under a job that starts after it**: who needs a result
        for longer than a step lets it be linked in the workspace, by `nix build --out-link result`. Collections that the Nix daemon makes by
        itself (`min-free`) or that somebody else starts wait for nobody. `systemctl start nix-gc` waits, too;
        `nix-collect-garbage` collects at once.
      '';
    };
  };
}
