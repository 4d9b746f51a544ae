# What options of profiles make of the host: settings of the Nix daemon, users and directories.
context@{
  lib,
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
    of
    refused
    refusedWith
    silent
    told
    ;

  settings = changes: (of changes { }).config.nix.settings;
  key = "example.org-1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
in
{
  "the users of all runners are added by name, also dynamic ones" = {
    expected = {
      dynamic.extra-allowed-users = [ "github-runner-one" ];
      static.extra-trusted-users = [ "ci" ];
      several.extra-trusted-users = [
        "github-runner-one-1"
        "github-runner-one-2"
      ];
      overridden.extra-allowed-users = [ "somebody" ];
      off = { };
    };
    actual = {
      dynamic = settings { nix.access = "allowed"; };
      static = settings {
        nix.access = "trusted";
        user = "ci";
      };
      several = settings {
        nix.access = "trusted";
        count = 2;
      };
      overridden = settings {
        nix.access = "allowed";
        serviceOverrides.User = "somebody";
      };
      off = settings { };
    };
  };
  "substituters and keys are the host's, once each" = {
    expected = {
      extra-substituters = [
        "https://example.org"
        "https://example.com"
      ];
      extra-trusted-public-keys = [ key ];
    };
    actual =
      (host {
        runners = {
          one = runner // {
            count = 2;
            nix.substituters = [ "https://example.org" ];
            nix.trustedPublicKeys = [ key ];
          };
          two = runner // {
            nix.substituters = [
              "https://example.org"
              "https://example.com"
            ];
          };
        };
      }).config.nix.settings;
  };
  "access to the Nix daemon leaves the unit alone, and every runner says that it has it" = {
    expected = {
      gone = [ ];
      new = [ ];
      may = [ "nix (trusted)" ];
    };
    actual =
      let
        changes = {
          nix.access = "trusted";
        };
      in
      changed changes // { may = may changes; };
  };
  "jobs that are root by the Nix daemon are told" = all [
    (told { nix.access = "trusted"; } "its jobs can become root, because `nix.access`")
    (silent {
      nix.access = "trusted";
      trustJobsLikeRoot = true;
    })
    (silent { nix.access = "allowed"; })
  ];
  "a dynamic user whose name nobody knows is refused for Nix" = {
    expected = [
      true
      true
      false
      false
    ];
    actual =
      map
        (
          { name, changes }:
          lib.any (lib.hasInfix "`nix.access` needs the name of its user")
            (host {
              runners.${name} =
                runner
                // {
                  nix.access = "allowed";
                }
                // changes;
            }).failures
        )
        [
          {
            name = "eighteen-characters";
            changes = { };
          }
          {
            name = "with.dot";
            changes = { };
          }
          {
            name = "with.dot";
            changes.user = "ci";
          }
          {
            name = "seventeen-letters";
            changes = { };
          }
        ];
  };
  "what would be another line or word of nix.conf is refused" = all [
    (refused {
      nix.substituters = [ "https://a https://b" ];
    } "Make each address an entry of its own")
    (refused { nix.substituters = [ "" ]; } "`nix.substituters` (\"\")")
    (refused {
      nix.substituters = [ "https://a\ntrusted-users = *" ];
    } "control character")
    (refused { nix.trustedPublicKeys = [ "example" ]; } "is no public key of Nix")
    (refused { nix.trustedPublicKeys = [ "${key}\nx = y" ]; } "is no public key of Nix")
    (refusedWith { nix.access = "allowed"; } { nix.enable = false; } "`nix.enable` of the host is off")
    (silent {
      nix.substituters = [ "s3://cache?region=eu-west-1" ];
      nix.trustedPublicKeys = [ key ];
    })
  ];
}
