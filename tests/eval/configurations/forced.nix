# A sandbox that is taken apart by force.
{ lib, ... }:

{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    serviceOverrides = {
      DeviceAllow = lib.mkForce [ "/dev/kvm rw" ];
      PrivateUsers = lib.mkForce false;
      ProtectHome = lib.mkForce "read-only";
      Restart = lib.mkForce "on-failure";
      RestrictAddressFamilies = lib.mkForce [ "AF_UNIX AF_INET" ];
    };
  };
}
