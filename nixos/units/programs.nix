# What is on a job's PATH before a runner's `extraPackages`, in the order in which jobs have always found it.
{
  pkgs,
  # The host's Nix.
  nix,
}:

[
  pkgs.bashInteractive
  pkgs.coreutils
  pkgs.git
  pkgs.gnutar
  pkgs.gzip
  nix
]
