# A credential for jobs, and files that they may read.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    serviceOverrides = {
      LoadCredential = [ "npmrc:/run/secrets/npmrc" ];
      BindReadOnlyPaths = [ "/etc/ci:/etc/ci" ];
    };
  };
}
