# Evaluation tests of the NixOS module; ./run prints them. They need no nixpkgs:
# `lib` is a stand-in unless the real one is passed, and both must agree.
{
  lib ? import ./stand-in,
}:

let
  pkgs = import ./packages.nix { };
  context = {
    inherit lib pkgs;
    host = arguments: import ./host.nix { inherit lib; } ({ inherit pkgs; } // arguments);
    # A runner to which nobody can object; claims change what they are about.
    runner = {
      enable = true;
      url = "https://github.com/owner/repository";
      tokenFile = "/run/secrets/token";
    };
  };

  configurations = import ./configurations.nix context;
  kept = "configurations";

  # With the stand-in, whatever `lib` is: releases of nixpkgs name types in other words.
  optionsPage = import ./options-page.nix { lib = import ./stand-in; };

  claims =
    import ./claims/units.nix context
    // import ./claims/broker.nix context
    // import ./claims/overrides.nix context
    // import ./claims/beside.nix context
    // import ./claims/options.nix context
    // import ./claims/assertions.nix context
    // import ./claims/reconcile.nix context
    // import ./claims/fleet.nix context
    // import ./claims/pool.nix context
    // import ./claims/profiles.nix context
    // import ./claims/profiles-host.nix context
    // import ./claims/profiles-containers.nix context
    // import ./claims/profiles-trust.nix context
    // import ./claims/keeping.nix context
    // import ./claims/steps.nix context
    // import ./claims/fleet-assertions.nix context
    // import ./claims/promises.nix context
    // import ./claims/work-dir.nix context
    // import ./claims/secrets.nix context
    // import ./claims/contract.nix context
    // import ./claims/render.nix context
    // import ./claims/gitlab.nix context
    // import ./claims/gitlab-runner.nix context
    // import ./claims/gitlab-assertions.nix context
    // import ./claims/on-demand.nix context
    // import ./claims/on-demand-units.nix context
    // import ./claims/on-demand-assertions.nix context
    // import ./claims/on-demand-ec2.nix context
    // import ./claims/on-demand-ec2-assertions.nix context
    // import ./claims/runner-image.nix context
    // import ./claims/garm-fleet.nix context
    // import ./claims/garm-image.nix context
    // import ./claims/garm-fleet-assertions.nix context
    // lib.mapAttrs' (
      name: actual:
      let
        file = ./golden + "/${kept}/${name}";
      in
      lib.nameValuePair "the configuration ${name} makes the golden units" {
        expected = if builtins.pathExists file then builtins.readFile file else "";
        inherit actual;
      }
    ) configurations
    // {
      "every golden text of a configuration has its configuration" = {
        expected = builtins.attrNames configurations;
        actual = builtins.attrNames (builtins.readDir (./golden + "/${kept}"));
      };
      "docs/options.md says what the options say" = {
        expected =
          if builtins.pathExists ../../docs/options.md then builtins.readFile ../../docs/options.md else "";
        actual = optionsPage;
      };
    };

  results = lib.mapAttrsToList (name: { expected, actual }: {
    inherit name expected actual;
    ok = expected == actual;
  }) claims;

  failures = lib.filter (result: !result.ok) results;

  # Line by line where both sides are text, so that one directive stands out.
  difference =
    { expected, actual, ... }:
    let
      lines =
        value: lib.splitString "\n" (if builtins.isString value then value else builtins.toJSON value);
      marked = mark: lib.concatMapStrings (line: "    ${mark} ${line}\n");
    in
    marked "-" (lib.subtractLists (lines actual) (lines expected))
    + marked "+" (lib.subtractLists (lines expected) (lines actual));

  count = list: toString (builtins.length list);
in
{
  inherit optionsPage results;
  failed = builtins.length failures;

  report =
    lib.concatMapStrings (
      result:
      "${if result.ok then "ok    " else "FAILED"} ${result.name}\n"
      + (if result.ok then "" else difference result)
    ) results
    + "${count (lib.filter (result: result.ok) results)} passed, ${count failures} failed\n";

  # The texts that belong into golden/ by the paths that they have there.
  golden =
    builtins.mapAttrs (unit: _: claims."the unit ${unit} is the golden one".actual) (
      removeAttrs (builtins.readDir ./golden) [ kept ]
    )
    // lib.mapAttrs' (name: lib.nameValuePair "${kept}/${name}") configurations;
}
