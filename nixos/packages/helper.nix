# The helper that units run, built from this repository: one program and nothing
# else. With the feature of this program alone, so that it links neither TLS nor a
# name service.
{
  lib,
  rustPlatform,
  stdenv,
}:

let
  common = import ./cargo.nix { inherit lib; };
  static = (lib.importTOML ../../.cargo/static.toml).target."cfg(target_env = \"gnu\")";
in
rustPlatform.buildRustPackage (
  common
  // {
    pname = "github-runner-helper";
    buildNoDefaultFeatures = true;
    buildFeatures = [ "helper" ];
    cargoBuildFlags = [
      "--bin"
      "github-runner-helper"
    ];

    # One static program, which starts faster and depends on nothing of the system.
    buildInputs = lib.optional stdenv.hostPlatform.isGnu (lib.getOutput "static" stdenv.cc.libc);
    env = lib.optionalAttrs stdenv.hostPlatform.isGnu {
      RUSTFLAGS = lib.concatStringsSep " " static.rustflags;
    };

    # The tests run where both programs are, see runnerctl.nix; here the very file
    # that gets installed shows that it starts.
    doCheck = false;
    doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
    installCheckPhase = ''
      runHook preInstallCheck
      $out/bin/github-runner-helper check ${../../tests/fixtures/manifest-v2.json}
      runHook postInstallCheck
    '';

    meta = common.meta // {
      mainProgram = "github-runner-helper";
    };
  }
)
