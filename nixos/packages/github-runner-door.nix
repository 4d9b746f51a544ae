# The door of runners on demand, built from this repository: the one program that strangers reach. It links neither
# TLS nor a name service, and nothing of GitHub.
{
  lib,
  rustPlatform,
  stdenv,
}:

import ./static.nix { inherit lib rustPlatform stdenv; } {
  pname = "github-runner-door";
  feature = "on-demand";
  check = "--version";
  meta.description = "Takes requests for runners on demand over HTTP, for the desk of the host";
}
