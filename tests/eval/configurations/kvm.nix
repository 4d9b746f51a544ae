# Virtual machines in jobs.
{
  services.github-runners.vm = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    extraLabels = [ "kvm" ];
    serviceOverrides = {
      DeviceAllow = [ "/dev/kvm" ];
      PrivateDevices = false;
      SupplementaryGroups = [ "kvm" ];
    };
  };
}
