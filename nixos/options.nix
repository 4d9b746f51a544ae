# The options of the module. Names, types, defaults and meaning are those of
# nixpkgs' `services.github-runners`: whatever evaluates there evaluates here.
# Faults that a type cannot tell apart are found in assertions.nix.
{ lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkOption types;

  runnerModule.imports = [
    ./options/registration.nix
    (import ./options/unit.nix pkgs)
    ./options/fleet.nix
  ];
in
{
  options.services.github-runners = mkOption {
    type = types.attrsOf (types.submodule runnerModule);
    default = { };
    example = {
      runner1 = {
        enable = true;
        url = "https://github.com/owner/repository";
        tokenFile = "/run/secrets/github-runner/runner1.token";
      };
    };
    description = ''
      Self-hosted GitHub Actions runners. Each one becomes the unit `github-runner-‹name›.service`, with the broker that
      speaks to GitHub for it behind `github-runner-broker-‹name›.socket`. With {option}`count` or {option}`orgs` an entry
      makes several of them, in `github-runners-‹name›.slice` together.
    '';
  };

  options.services.github-runner-helper.package = mkOption {
    type = types.package;
    default = pkgs.callPackage ./package.nix { };
    defaultText = literalExpression "pkgs.callPackage ./nixos/package.nix { }";
    description = ''
      Package of the program that units run before the runner: it registers the runner, or finds that the registration
      still holds. Replace it to try a patched version.
    '';
  };

  options.services.github-runnerctl.package = mkOption {
    type = types.package;
    default = pkgs.callPackage ./runnerctl.nix { };
    defaultText = literalExpression "pkgs.callPackage ./nixos/runnerctl.nix { }";
    description = ''
      Package of the program that speaks to GitHub: the brokers run it, and it is in `PATH` for operators of the host.
      It must come from the same release as {option}`services.github-runner-helper.package`. Replace it to try a patched
      version.
    '';
  };
}
