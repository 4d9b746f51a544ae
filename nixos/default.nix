# The NixOS module: takes the place of nixpkgs' `services.github-runners`, and offers machines
# for jobs of GitLab.
# Imports only; what a runner is made of stands in the files below.
{ lib, ... }:

{
  # The same path in every release from 25.11 on. It takes the two files along
  # that nixpkgs' module imports.
  disabledModules = [ "services/continuous-integration/github-runners.nix" ];

  imports = [
    (lib.mkRemovedOptionModule [
      "services"
      "github-runner"
    ] "Name your runner in `services.github-runners.<name>` instead.")
    # What is the host's is below one name.
    (lib.mkRenamedOptionModule
      [
        "services"
        "github-runner-helper"
        "package"
      ]
      [
        "services"
        "github-runnerctl"
        "helper"
        "package"
      ]
    )
    ./options.nix
    ./runners.nix
    ./machines/images.nix
    ./frontends/gitlab.nix
    ./frontends/on-demand.nix
    ./frontends/garm-fleet.nix
  ];

  # People of nixpkgs, where nobody looks after this. There is no `doc`: by default the
  # manual of a host refuses chapters that nixpkgs does not list
  # (`documentation.nixos.checkRedirects`).
  meta.maintainers = [ ];
}
