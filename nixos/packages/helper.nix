# The helper that units run, built from this repository: it links neither TLS nor a name service.
{
  lib,
  rustPlatform,
  stdenv,
}:

import ./static.nix { inherit lib rustPlatform stdenv; } {
  pname = "github-runner-helper";
  feature = "helper";
  check = "check ${../../tests/fixtures/manifest-v2.json}";
}
