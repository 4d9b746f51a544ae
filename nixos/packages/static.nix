# One static program of this repository and nothing else, built with its own feature alone, so that
# it links what it needs. It starts faster than a dynamic one and depends on nothing of the system.
{
  lib,
  rustPlatform,
  stdenv,
}:

{
  # Name of the program.
  pname,
  # Its feature.
  feature,
  # Arguments with which the installed program shows that it starts.
  check,
  # What it does, unless that is what the repository does.
  meta ? { },
}:

let
  common = import ./cargo.nix { inherit lib; };
  static = (lib.importTOML ../../.cargo/static.toml).target."cfg(target_env = \"gnu\")";
in
rustPlatform.buildRustPackage (
  common
  // {
    inherit pname;
    buildNoDefaultFeatures = true;
    buildFeatures = [ feature ];
    cargoBuildFlags = [
      "--bin"
      pname
    ];

    buildInputs = lib.optional stdenv.hostPlatform.isGnu (lib.getOutput "static" stdenv.cc.libc);
    env = lib.optionalAttrs stdenv.hostPlatform.isGnu {
      RUSTFLAGS = lib.concatStringsSep " " static.rustflags;
    };

    # The tests run where all programs are, see runnerctl.nix; here the very file
    # that gets installed shows that it starts.
    doCheck = false;
    doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
    installCheckPhase = ''
      runHook preInstallCheck
      $out/bin/${pname} ${check}
      runHook postInstallCheck
    '';

    meta =
      common.meta
      // meta
      // {
        mainProgram = pname;
      };
  }
)
