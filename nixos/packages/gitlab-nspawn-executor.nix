# The executor for jobs of GitLab, built from this repository: one static program that is driver,
# supervisor and agent. The agent runs in machines of any image, where no library of this system is.
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
    pname = "gitlab-nspawn-executor";
    buildNoDefaultFeatures = true;
    buildFeatures = [ "gitlab" ];
    cargoBuildFlags = [
      "--bin"
      "gitlab-nspawn-executor"
    ];

    buildInputs = lib.optional stdenv.hostPlatform.isGnu (lib.getOutput "static" stdenv.cc.libc);
    env = lib.optionalAttrs stdenv.hostPlatform.isGnu {
      RUSTFLAGS = lib.concatStringsSep " " static.rustflags;
    };

    # The tests run where all programs are, see runnerctl.nix; here the very file
    # that gets installed shows that it starts, and reads what the module writes.
    doCheck = false;
    doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
    installCheckPhase = ''
      runHook preInstallCheck
      $out/bin/gitlab-nspawn-executor config --settings ${../../tests/fixtures/gitlab-nspawn-settings.json}
      runHook postInstallCheck
    '';

    meta = common.meta // {
      description = "Runs jobs of GitLab in systemd-nspawn machines of their own";
      mainProgram = "gitlab-nspawn-executor";
    };
  }
)
