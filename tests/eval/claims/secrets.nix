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
  withApp =
    privateKeyFile:
    host {
      runners.one = runner // {
        tokenFile = null;
        githubApp = {
          id = 1;
          inherit privateKeyFile;
        };
      };
    };
  said = result: lib.concatStringsSep "\n" result.failures;
  complaint = tokenFile: said (rendered tokenFile);

  brokerOf = result: result.services."github-runner-broker-one@".serviceConfig;
  # Whether no text of a unit or of the manifest brings a file into the store.
  withoutCopies =
    result:
    lib.all (text: builtins.getContext (toString text) == { }) (
      [ result.manifests.one.text ]
      ++ lib.concatMap lib.toList (builtins.attrValues (brokerOf result))
      ++ result.services.github-runner-one.serviceConfig.InaccessiblePaths
    );

  # Everywhere that the place of a secret stands, and whether nothing of it was copied.
  shown = result: place: [
    (place (builtins.fromJSON result.manifests.one.text))
    (builtins.head result.services.github-runner-one.serviceConfig.InaccessiblePaths)
    (builtins.head (brokerOf result).LoadCredential)
    (withoutCopies result)
  ];
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
        "credential:${place}"
        true
      ];
      actual = shown result (manifest: manifest.registration.tokenFile);
    };

  "the key of an App that is a Nix path is refused and not copied to the store" =
    let
      result = withApp ./secrets.nix;
      place = toString ./secrets.nix;
    in
    {
      expected = [
        place
        "-${place}"
        "credential:${place}"
        true
        true
      ];
      actual = shown result (manifest: manifest.githubApp.privateKeyFile) ++ [
        (lib.hasInfix "`githubApp.privateKeyFile` is a Nix path" (said result))
      ];
    };

  "the key of an App in the store is refused" = {
    expected = true;
    actual = lib.hasInfix "read the key" (said (withApp "${pkgs.package "key"}/app.pem"));
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

  "jobs cannot reach the key of an App" = {
    expected = "-/run/secrets/app.pem";
    actual = builtins.head (withApp "/run/secrets/app.pem")
      .services.github-runner-one.serviceConfig.InaccessiblePaths;
  };

  "jobs can reach neither the token nor the ledger nor the broker nor what it keeps" = {
    expected = [
      "-/run/secrets/token"
      "-/var/lib/github-runner-registrations"
      "-/run/github-runner-broker"
      "-/run/github-runner-broker-kept"
      "-/run/private/github-runner-broker-kept"
      # What could start something that outlives the unit, see overrides.nix.
      "-/run/dbus"
      "-/run/user"
    ];
    actual = (rendered "/run/secrets/token").services.github-runner-one.serviceConfig.InaccessiblePaths;
  };

  "the path of a token is literal in the manifest and escaped in the unit" = {
    expected = {
      manifest = "/run/\"my\":secrets/50%n";
      unit = "\"-/run/\\\"my\\\":secrets/50%%n\"";
      credential = "credential:/run/\"my\":secrets/50%%n";
    };
    actual =
      let
        result = rendered "/run/\"my\":secrets/50%n";
      in
      {
        credential = builtins.head (brokerOf result).LoadCredential;
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
