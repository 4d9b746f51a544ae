# Nothing secret reaches the store, where everyone can read it.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  rendered =
    tokenFile:
    host {
      runners.one = runner // {
        inherit tokenFile;
      };
    };
  complaint = tokenFile: lib.concatStringsSep "\n" (rendered tokenFile).failures;
in
{
  "a token that is a Nix path is refused" = {
    expected = true;
    actual = lib.hasInfix "is a Nix path" (complaint ./secrets.nix);
  };

  # A copy would show as a store path in what is rendered.
  "a token that is a Nix path is not copied to the store" =
    let
      result = rendered ./secrets.nix;
      place = toString ./secrets.nix;
    in
    {
      expected = [
        place
        "-${place}"
        { }
      ];
      actual = [
        (builtins.fromJSON result.manifests.one.text).registration.tokenFile
        (builtins.head result.services.github-runner-one.serviceConfig.InaccessiblePaths)
        (builtins.getContext result.manifests.one.text)
      ];
    };

  "a token in the store is refused" = {
    expected = true;
    actual = lib.all (tokenFile: lib.hasInfix "is in the store" (complaint tokenFile)) [
      "${pkgs.package "token"}"
      (pkgs.package "token")
      "${pkgs.package "directory"}/token"
    ];
  };

  "a path that only resembles the store is accepted" = {
    expected = "";
    actual = complaint "/nix/storehouse/token";
  };

  "jobs can reach neither the token nor the ledger" = {
    expected = [
      "-/run/secrets/token"
      "-/var/lib/github-runner-registrations"
    ];
    actual = (rendered "/run/secrets/token").services.github-runner-one.serviceConfig.InaccessiblePaths;
  };

  "the path of a token is literal in the manifest and escaped in the unit" = {
    expected = {
      manifest = "/run/my secrets/50%n";
      unit = "\"-/run/my secrets/50%%n\"";
    };
    actual =
      let
        result = rendered "/run/my secrets/50%n";
      in
      {
        manifest = (builtins.fromJSON result.manifests.one.text).registration.tokenFile;
        unit = builtins.head result.services.github-runner-one.serviceConfig.InaccessiblePaths;
      };
  };

  "a token file with a line break in its name is refused" = {
    expected = true;
    actual = lib.hasInfix "line break" (complaint "/run/a\nExecStart=b");
  };

  "the helper checks the manifest in its build" = {
    expected = "${pkgs.github-runner-helper}/bin/github-runner-helper check \"$target\"";
    actual = (rendered "/run/secrets/token").manifests.one.checkPhase;
  };
}
