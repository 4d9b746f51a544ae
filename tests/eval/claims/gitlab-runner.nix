# What gitlab-runner is told of machines for its jobs, and whether the documents say the same.
{
  lib,
  pkgs,
  host,
  ...
}:

let
  inherit (builtins) attrNames fromJSON readFile;
  document = readFile ../../../docs/gitlab.md;
  inherit (import ../machines.nix { inherit host pkgs; })
    gitlab
    hostWith
    image
    plain
    settingsOf
    system
    systemAt
    ;
  sorted = builtins.sort (a: b: a < b);
  runnerOf = changes: (plain changes).config.services.gitlab-nspawn.runner;

  # The flags of a runner as the keys of config.toml, in the way of `gitlab-runner register`.
  flagsOf =
    custom:
    sorted (
      lib.concatLists (
        lib.mapAttrsToList (
          key: value:
          map (one: "--custom-${builtins.replaceStrings [ "_" ] [ "-" ] key}=${toString one}") (
            lib.toList value
          )
        ) custom
      )
    );
  between =
    start: end:
    builtins.head (lib.splitString end (builtins.elemAt (lib.splitString start document) 1));
  documented = builtins.head (fromTOML (between "```toml\n" "```")).runners;
  toStable = builtins.replaceStrings [ "/usr/local/bin/" ] [ "/run/current-system/sw/bin/" ];

  example = hostWith {
    imports = [
      (
        arguments:
        # A flake's, of which the fake `pkgs.nixos` looks at nothing.
        import ../fixtures/gitlab-on-nixos.nix (arguments // { inputs = throw "not looked at"; })
      )
    ];
  };
in
{
  "gitlab-runner gets the group where it runs, and no unit where it does not" =
    let
      running = plain {
        services.gitlab-runner.enable = true;
        systemd.services.gitlab-runner = {
          description = "GitLab's runner";
          serviceConfig.SupplementaryGroups = [ "docker" ];
        };
      };
    in
    {
      expected = {
        running = [
          "docker"
          "gitlab-nspawn"
        ];
        other = false;
      };
      actual = {
        running = sorted running.services.gitlab-runner.serviceConfig.SupplementaryGroups;
        other = (plain { }).services ? gitlab-runner;
      };
    };

  "another image changes neither units nor flags of a runner" =
    let
      with' = image: plain { services.ci-machines.images.nixos.system = image; };
      seen = host: [
        host.unitTexts
        host.config.services.gitlab-nspawn.runner
      ];
      other = systemAt "11111111111111111111111111111111";
    in
    {
      expected = {
        outside = seen (with' system);
        settings = true;
      };
      actual = {
        outside = seen (with' other);
        settings = (settingsOf (with' system)).text != (settingsOf (with' other)).text;
      };
    };

  "a runner's flags hold no path of the store" =
    let
      text = builtins.toJSON (
        runnerOf (image {
          inherit system;
        })
      );
    in
    {
      expected = false;
      actual = lib.hasInfix "/nix/store" text || builtins.hasContext text;
    };

  "a runner's flags are the config.toml of the documents" = {
    expected = {
      inherit (documented) executor;
      flags = sorted (map toStable (flagsOf documented.custom ++ [ "--shell=${documented.shell}" ]));
    };
    actual = {
      inherit (runnerOf { }) executor;
      flags = sorted (runnerOf { }).registrationFlags;
    };
  };

  "gitlab-runner waits longer than a script has" = {
    expected = [ "--custom-graceful-kill-timeout=640" ];
    actual =
      lib.filter (lib.hasInfix "graceful")
        (plain (gitlab {
          grace = 600;
        })).config.services.gitlab-nspawn.runner.registrationFlags;
  };

  "the example of the documents is one that is evaluated" = {
    expected = true;
    actual =
      builtins.replaceStrings [ (readFile ../fixtures/gitlab-on-nixos.nix) ] [ "" ] document != document;
  };

  "the example of the documents makes a runner whose jobs get machines" = {
    expected = {
      failures = [ ];
      default = "nixos";
      images = [
        "debian"
        "nixos"
      ];
      system = "${(pkgs.nixos { }).config.system.build.toplevel}";
      executor = "custom";
      flags = (runnerOf { }).registrationFlags;
      limit = 4;
    };
    actual =
      let
        settings = fromJSON (settingsOf example).text;
        entry = example.config.services.gitlab-runner.services.machines;
      in
      {
        inherit (example) failures;
        default = settings.defaultImage;
        images = attrNames settings.machines.images;
        inherit (settings.machines.images.nixos) system;
        inherit (entry) executor limit;
        flags = entry.registrationFlags;
      };
  };

  "an image is brought along by its settings" = {
    expected = true;
    actual = lib.hasInfix "\"system\":\"${(pkgs.nixos { }).config.system.build.toplevel}\"" (settingsOf example)
    .text;
  };

  "the settings of the documents are ones that the module can make" =
    let
      text = fromJSON (between "```json\n" "```");
      made = hostWith {
        services.ci-machines = { inherit (text.machines) images; };
        services.gitlab-nspawn = {
          enable = true;
          inherit (text) defaultImage;
          inherit (text.machines) gitlabRunner limits network;
        };
      };
    in
    {
      expected = text.machines.limits // {
        inherit (text) defaultImage;
        images = attrNames text.machines.images;
        inherit (text.machines) gitlabRunner;
        inherit (text.machines.network) mode;
      };
      actual =
        let
          settings = fromJSON (settingsOf made).text;
        in
        settings.machines.limits
        // {
          inherit (settings) defaultImage;
          images = attrNames settings.machines.images;
          inherit (settings.machines) gitlabRunner;
          inherit (settings.machines.network) mode;
        };
    };
}
