# Accounts of two servers, each with its own token and labels.
{
  services.github-runners.ci = {
    enable = true;
    tokenFile = "/run/secrets/octo-org";
    extraLabels = [ "nixos" ];
    orgs.octo-org = { };
    orgs.inside = {
      url = "https://github.example.com/enterprises/inside";
      tokenFile = "/run/secrets/inside";
      extraLabels = [ "gpu" ];
    };
  };
}
