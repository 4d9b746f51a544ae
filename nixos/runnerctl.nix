# The program that speaks to GitHub: brokers run it, and operators. Linked
# dynamically, because a static C library cannot look up names the way the host
# does. All of Cargo's tests run in its build.
{
  lib,
  rustPlatform,
  strace,
}:

let
  common = import ./cargo.nix { inherit lib; };
in
rustPlatform.buildRustPackage (
  common
  // {
    pname = "github-runnerctl";
    cargoBuildFlags = [
      "--bin"
      "github-runnerctl"
    ];

    # Tests kill the helper at every system call.
    nativeCheckInputs = [ strace ];

    meta = common.meta // {
      mainProgram = "github-runnerctl";
    };
  }
)
