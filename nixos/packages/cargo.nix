# What both packages have in common: the sources as Cargo reads them.
{ lib }:

let
  manifest = lib.importTOML ../../Cargo.toml;
in
{
  inherit (manifest.package) version;

  # Only what Cargo reads, so that a change of the module builds nothing anew.
  src = lib.fileset.toSource {
    root = ../../.;
    fileset = lib.fileset.unions [
      ../../Cargo.lock
      ../../Cargo.toml
      ../../clippy.toml
      # The action and the workflow, which tests run and read.
      ../../.github
      # Which a test compares with the types.
      ../../docs/status-v1.schema.json
      ../../request
      # Which tests run as a job does.
      ../../request
      ../../src
      (lib.fileset.difference ../../tests ../../tests/eval)
      (lib.fileset.maybeMissing ../../benches)
      (lib.fileset.maybeMissing ../../examples)
      (lib.fileset.maybeMissing ../../rustfmt.toml)
    ];
  };
  cargoLock.lockFile = ../../Cargo.lock;

  # Cargo would do it, but its hook leaves it to the standard environment, which keeps symbols.
  stripAllList = [ "bin" ];

  meta = {
    inherit (manifest.package) description;
    license = lib.licenses.mit;
    # People of nixpkgs, where nobody looks after this.
    maintainers = [ ];
    platforms = lib.platforms.linux;
  };
}
