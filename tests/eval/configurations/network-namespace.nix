# A network of its own, with a resolver of its own.
{
  services.github-runners.vpn = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
  };
  systemd.services.github-runner-vpn = {
    after = [ "netns-vpn.service" ];
    unitConfig.BindsTo = [ "netns-vpn.service" ];
    serviceConfig = {
      NetworkNamespacePath = "/run/netns/vpn";
      BindReadOnlyPaths = [ "/etc/netns/vpn/resolv.conf:/etc/resolv.conf" ];
      InaccessiblePaths = [ "-/run/nscd" ];
    };
  };
}
