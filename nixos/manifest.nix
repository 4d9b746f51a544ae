# The JSON file that tells the helper what one runner should be (version 1).
# Checked in its own build by the program that will read it at run time, so that
# a configuration it would refuse never reaches a machine. Holds paths of
# secrets, never secrets: the store is readable by everyone.
{ helper, pkgs }:

instance: runner:

pkgs.writeTextFile {
  name = "github-runner-${instance}-manifest.json";

  text = builtins.toJSON {
    version = 1;
    inherit instance;
    # A difference in here registers the runner anew. These eight fields are also
    # what nixpkgs' module compares, so a runner that comes from there is
    # recognised and keeps its registration.
    registration = {
      inherit (runner)
        ephemeral
        extraLabels
        name
        noDefaultLabels
        runnerGroup
        url
        workDir
        ;
      # Interpolating a path would copy the token into the store.
      tokenFile = toString runner.tokenFile;
    };
    inherit (runner) replace tokenType;
    listener = "${runner.package}/bin/Runner.Listener";
  };

  # A cross build cannot run the helper; there the start of the unit reports the
  # same faults.
  checkPhase =
    if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
      ''${helper}/bin/github-runner-helper check "$target"''
    else
      "";
}
