# Hosts with machines for jobs of GitLab, for the claims about them.
{ pkgs, host }:

rec {
  hostWith = extra: host { inherit extra; };
  debian = {
    services.ci-machines.images.debian.root = "/var/lib/gitlab-nspawn-images/debian";
  };
  # A host to which nobody can object, with changes.
  plain =
    changes:
    hostWith {
      imports = [
        debian
        changes
      ];
      services.gitlab-nspawn.enable = true;
    };
  settingsOf = host: host.etc."gitlab-nspawn/settings.json".source;

  # A NixOS system at a place in the store, of which only the place is looked at.
  systemAt =
    hash:
    pkgs.package "nixos-system-image"
    // {
      outPath = "/nix/store/${hash}-nixos-system-image";
    };
  system = systemAt "00000000000000000000000000000000";

  # Changes of such a host: its second image, and the front end.
  image = changes: { services.ci-machines.images.other = changes; };
  gitlab = changes: { services.gitlab-nspawn = changes; };
}
