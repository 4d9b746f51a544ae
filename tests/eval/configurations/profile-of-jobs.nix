# Virtual machines, FHS environments and the programs of hosted machines in jobs, by options.
{
  users.groups.kvm.gid = 302;

  services.github-runners.vm = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    user = "ci";
    kvm = true;
    devices = [ "/dev/net/tun" ];
    deviceGroups = [ "render" ];
    sandbox = {
      namespaces = true;
      umask = "0022";
    };
    programs = "hosted";
    hooks.jobStarted = "df --human-readable .";
  };
}
