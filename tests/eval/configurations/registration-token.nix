# A registration token, and a switch that restarts at once.
{
  services.github-runners.once = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/registration";
    tokenType = "registration";
  };
}
