# The provider for GARM, built from this repository: one static program, which GARM starts without any
# environment of its own. Man pages and completions are made as those of `github-runnerctl`.
{
  lib,
  installShellFiles,
  rustPlatform,
  stdenv,
}:

let
  package = import ./static.nix { inherit lib rustPlatform stdenv; } {
    pname = "garm-provider-incus-lxd";
    feature = "garm";
    check = "--version";
    meta.description = "External provider of GARM for Incus and LXD";
  };
  canRun = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
in
package.overrideAttrs (previous: {
  nativeBuildInputs = previous.nativeBuildInputs ++ [ installShellFiles ];

  # Not in the build before, whose program would get the features of the others.
  postBuild = lib.optionalString canRun ''
    cargo run --offline --profile "$cargoBuildType" --example command-line-documents \
      --target ${stdenv.hostPlatform.rust.rustcTargetSpec} -- documents
  '';
  postInstall = lib.optionalString canRun ''
    installManPage documents/man/garm-provider-incus-lxd*.8
    installShellCompletion \
      --bash documents/completions/garm-provider-incus-lxd.bash \
      --fish documents/completions/garm-provider-incus-lxd.fish \
      --zsh documents/completions/_garm-provider-incus-lxd
  '';
})
