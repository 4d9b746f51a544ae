# A user of the host's own, and a work directory that tmpfiles makes.
{
  systemd.tmpfiles.rules = [ "d /srv/ci 0700 ci ci -" ];

  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    user = "ci";
    group = "ci";
    workDir = "/srv/ci";
  };
}
