# Containers in jobs without root: namespaces, control groups, user ids.
{
  services.github-runners.podman = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    user = "ci";
    serviceOverrides = {
      Delegate = true;
      NoNewPrivileges = false;
      PrivateUsers = false;
      ProtectControlGroups = false;
      RestrictNamespaces = false;
      RestrictSUIDSGID = false;
      SystemCallFilter = [ "@mount" ];
    };
  };
}
