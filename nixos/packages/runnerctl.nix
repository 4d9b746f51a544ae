# The program that speaks to GitHub: brokers run it, and operators. Linked
# dynamically, because a static C library cannot look up names the way the host
# does. All of Cargo's tests run in its build.
{
  lib,
  curl,
  installShellFiles,
  rustPlatform,
  stdenv,
  strace,
}:

let
  common = import ./cargo.nix { inherit lib; };
  canRun = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
in
rustPlatform.buildRustPackage (
  common
  // {
    pname = "github-runnerctl";
    cargoBuildFlags = [
      "--bin"
      "github-runnerctl"
    ];

    nativeBuildInputs = [ installShellFiles ];

    # Man pages and completions are written by a program of the same sources; where it
    # cannot run there are none. Not in the build before, whose program would get the
    # features that tests want of their crates.
    postBuild = lib.optionalString canRun ''
      cargo run --offline --profile "$cargoBuildType" --example command-line-documents \
        --target ${stdenv.hostPlatform.rust.rustcTargetSpec} -- documents
    '';
    postInstall = lib.optionalString canRun ''
      installManPage documents/man/github-runnerctl*.8
      installShellCompletion \
        --bash documents/completions/github-runnerctl.bash \
        --fish documents/completions/github-runnerctl.fish \
        --zsh documents/completions/_github-runnerctl
    '';

    # Tests kill the helper at every system call, and run the step of the action.
    nativeCheckInputs = [
      curl
      strace
    ];

    meta = common.meta // {
      mainProgram = "github-runnerctl";
    };
  }
)
