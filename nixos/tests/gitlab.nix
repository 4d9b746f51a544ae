# A machine whose jobs of GitLab run in machines of their own: nixpkgs' gitlab-runner, a NixOS system as
# the image, and a stand-in for GitLab. For tests only; it keeps a token in the store, which is fine for a token
# that opens nothing and for nothing else.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  standIns = pkgs.callPackage ../packages/stand-ins.nix {
    github-runnerctl = config.services.github-runnerctl.package;
  };
  address = "127.0.0.1:8080";
in
{
  imports = [ ../. ];

  services.ci-machines.images.nixos.system =
    (pkgs.nixos {
      imports = [ ../machines/guest.nix ];
      system.stateVersion = lib.trivial.release;
    }).config.system.build.toplevel;
  services.gitlab-nspawn = {
    enable = true;
    defaultImage = "nixos";
    # The test's network has no name server, and these jobs ask none.
    network.resolvers = [ "192.0.2.53" ];
  };
  services.gitlab-runner = {
    enable = true;
    services.machines = lib.mkMerge [
      config.services.gitlab-nspawn.runner
      { authenticationTokenConfigFile = "/etc/gitlab-runner-token"; }
    ];
  };
  environment.etc.gitlab-runner-token.text = ''
    CI_SERVER_URL=http://${address}
    CI_SERVER_TOKEN=glrt-fakeFAKEfakeFAKE
  '';

  systemd.services.stand-in-gitlab = {
    description = "Stand-in for GitLab";
    requiredBy = [ "gitlab-runner.service" ];
    before = [ "gitlab-runner.service" ];
    # The runner may start once requests are answered.
    postStart = ''
      until [[ -e $RUNTIME_DIRECTORY/url ]]; do sleep 0.1; done
    '';
    serviceConfig = {
      DynamicUser = true;
      RuntimeDirectory = "stand-in-gitlab";
      ExecStart = utils.escapeSystemdExecArgs [
        "${standIns}/bin/stand-in-gitlab"
        "--listen"
        address
        "--url-file"
        "/run/stand-in-gitlab/url"
        "id --user; cat /proc/self/uid_map; command -v git gitlab-runner systemctl"
        "exit 42"
      ];
      # It ends with its jobs, and gitlab-runner goes on without it.
      RemainAfterExit = true;
      TimeoutStartSec = "30s";
    };
  };
}
