# A server of one's own, with its own authority and a token without a prefix.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.example.com/octo-org";
    tokenFile = "/run/secrets/token";
    tokenType = "access";
    extraEnvironment = {
      SSL_CERT_FILE = "/etc/ssl/certs/ca-bundle.crt";
      NODE_EXTRA_CA_CERTS = "/etc/ssl/certs/ca-bundle.crt";
    };
  };
}
