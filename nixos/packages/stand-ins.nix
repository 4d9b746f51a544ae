# Programs for tests and the demonstration: the stand-ins for GitHub and for the
# runner, and the scenarios that machines run. Apart from the programs' packages, so
# that nothing a user installs holds them.
{ github-runnerctl }:

github-runnerctl.overrideAttrs {
  pname = "github-runner-stand-ins";
  cargoBuildFlags = [ "--examples" ];
  doCheck = false;
  # No documents.
  postBuild = "";
  postInstall = "";

  # Beside each program Cargo leaves a copy with a hash in its name.
  installPhase = ''
    runHook preInstall
    mkdir -p $out/bin
    find target/*/release/examples -maxdepth 1 -type f -executable \
      -not -regex '.*-[0-9a-f]*' -not -name '*.so' \
      -exec install -t $out/bin {} +
    runHook postInstall
  '';

  meta = {
    description = "Stand-ins for GitHub and its runner; for tests only";
  };
}
