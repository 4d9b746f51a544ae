# For the configuration of a NixOS system that is an image of machines for jobs: what stages of a
# job call, and nothing that the machine's supervisor does from outside.
{ lib, pkgs, ... }:

{
  boot.isContainer = true;

  environment.systemPackages = [
    pkgs.bashInteractive
    pkgs.git
    # Caches and artifacts are moved by it, in the machine.
    pkgs.gitlab-runner
  ];

  networking = {
    # The supervisor gives addresses, name servers and a name before the init starts.
    hostName = lib.mkDefault "";
    resolvconf.enable = lib.mkDefault false;
    useDHCP = lib.mkDefault false;
    # And closes the network outside, where a job cannot open it.
    firewall.enable = lib.mkDefault false;
  };

  # The store is read-only here, so a daemon of its own could build nothing.
  nix.enable = lib.mkDefault false;
}
