# The helper that units run, built from this repository: one program and nothing
# else. The stand-ins and scenarios of the tests are examples, which Cargo never
# installs.
{
  lib,
  rustPlatform,
  stdenv,
  strace,
}:

let
  manifest = lib.importTOML ../Cargo.toml;
  static = (lib.importTOML ../.cargo/static.toml).target."cfg(target_env = \"gnu\")";
in
rustPlatform.buildRustPackage {
  pname = "github-runner-helper";
  inherit (manifest.package) version;

  # Only what Cargo reads, so that a change of the module builds nothing anew.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../clippy.toml
      ../src
      (lib.fileset.difference ../tests ../tests/eval)
      (lib.fileset.maybeMissing ../benches)
      (lib.fileset.maybeMissing ../examples)
      (lib.fileset.maybeMissing ../rustfmt.toml)
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  # One static program, which starts faster and depends on nothing of the system.
  buildInputs = lib.optional stdenv.hostPlatform.isGnu (lib.getOutput "static" stdenv.cc.libc);
  env = lib.optionalAttrs stdenv.hostPlatform.isGnu {
    RUSTFLAGS = lib.concatStringsSep " " static.rustflags;
  };

  # Cargo would do it, but its hook leaves it to the standard environment, which keeps symbols.
  stripAllList = [ "bin" ];

  # Tests kill the helper at every system call.
  nativeCheckInputs = [ strace ];

  meta = {
    inherit (manifest.package) description;
    license = lib.licenses.mit;
    mainProgram = "github-runner-helper";
    platforms = lib.platforms.linux;
  };
}
