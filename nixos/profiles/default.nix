# What a runner's options of profiles make of its unit: each part knows options of one
# kind, and says only what differs from ./none.nix. A pure function over values and packages.
{
  lib,
  pkgs,
  # `users.groups` of the host.
  groups,
}:

let
  none = import ./none.nix;
  devices = import ./devices.nix { inherit groups lib; };
  sandbox = import ./sandbox.nix { inherit lib; };
  containers = import ./containers.nix { inherit lib pkgs; };
  nix = import ./nix.nix { inherit lib; };
  programs = import ./programs.nix { inherit lib pkgs; };
  node = import ./node.nix { inherit lib pkgs; };
  user = import ./user.nix { inherit lib; };
in
instance: runner:

let
  parts = map (part: none // part) [
    (devices runner)
    # Before the mask that somebody asks for.
    (containers.part instance runner)
    (sandbox runner)
    (nix.part runner)
    (programs runner)
    (node runner)
    (user.part runner)
    (import ./trust.nix runner)
  ];
  merged = field: builtins.foldl' (all: part: all // part.${field}) { } parts;
  joined = field: lib.concatMap (part: part.${field}) parts;
in
{
  sandbox = merged "sandbox";
  # A directive without entries is not there at all: its unit is that of a runner without a profile.
  lists = lib.filterAttrs (_: entries: entries != [ ]) (
    lib.zipAttrsWith (_: lib.concatLists) (map (part: part.lists) parts)
  );
  environment = merged "environment";
  first = joined "first";
  last = joined "last";
  units = joined "units";
  may = joined "may";
}
