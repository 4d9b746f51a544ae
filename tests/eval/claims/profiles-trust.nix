# Runners for jobs of people whom nobody knows: what is closed, and what contradicts that.
context@{ lib, ... }:

let
  profile = import ../profile.nix context;
  inherit (profile)
    all
    changed
    may
    of
    service
    silent
    ;

  untrusted =
    changes:
    {
      trust = "untrusted";
      ephemeral = true;
    }
    // changes;

  # Whether one of the messages names both options.
  contradicts =
    changes: other:
    let
      inherit (of (untrusted changes) { }) failures;
      sentence = "`trust = \"untrusted\"` and `${other}` contradict each other";
    in
    if lib.any (lib.hasInfix sentence) failures then [ ] else failures ++ [ "without: ${sentence}" ];
in
{
  "untrusted jobs reach no private addresses, and nothing else changes" = {
    expected = {
      gone = [ ];
      new = map (range: "IPAddressDeny=${range}") [
        "169.254.0.0/16"
        "10.0.0.0/8"
        "172.16.0.0/12"
        "192.168.0.0/16"
        "fe80::/10"
        "fc00::/7"
      ];
      may = null;
    };
    actual =
      let
        ours = changed (untrusted { });
        ephemeral = changed { ephemeral = true; };
      in
      builtins.mapAttrs (which: lib.subtractLists ephemeral.${which}) ours
      // {
        may = may (untrusted { });
      };
  };
  "doctor is told who is not trusted, and nothing of others" = {
    expected = [
      "untrusted"
      null
    ];
    actual =
      map
        (
          changes:
          (builtins.head
            (builtins.fromJSON (of changes { }).etc."github-runners/fleet.json".source.text).instances
          ).trust or null
        )
        [
          (untrusted { })
          { ephemeral = true; }
        ];
  };
  "a name server can be allowed" = {
    expected = [ "10.0.0.53" ];
    actual =
      (service (untrusted {
        serviceOverrides.IPAddressAllow = [ "10.0.0.53" ];
      })).IPAddressAllow;
  };
  "what contradicts untrusted jobs is refused, with both options" = all [
    (contradicts { ephemeral = false; } "ephemeral = false")
    (contradicts { trustJobsLikeRoot = true; } "trustJobsLikeRoot = true")
    (contradicts { user = "root"; } "user")
    (contradicts { serviceOverrides.User = "root"; } "serviceOverrides.User")
    (contradicts { nix.access = "trusted"; } "nix.access = \"trusted\"")
    (contradicts {
      serviceOverrides.SupplementaryGroups = "video docker";
    } "serviceOverrides.SupplementaryGroups")
    (contradicts { sandbox.sudo = true; } "sandbox.sudo")
    (contradicts {
      sandbox.namespaces = true;
      user = "ci";
    } "sandbox.namespaces")
    (contradicts { containers.engine = "docker"; } "containers.engine = \"docker\"")
    (contradicts {
      containers.engine = "podman";
      user = "ci";
    } "containers.engine = \"podman\"")
    (contradicts { devices = [ "/dev/fuse" ]; } "devices")
    (contradicts { kvm = true; } "kvm")
    (contradicts { deviceGroups = [ "video" ]; } "deviceGroups")
    (contradicts {
      cacheDirectory = "/var/cache/ci";
      user = "ci";
    } "cacheDirectory")
    (contradicts {
      cleanWorkDir = "never";
      user = "ci";
      workDir = "/srv/work";
    } "cleanWorkDir = \"never\"")
    (contradicts { createUser = true; } "createUser")
    (contradicts { workDir = "/srv/work"; } "workDir")
    (contradicts { exposeSystemServices = true; } "exposeSystemServices")
  ];
  "untrusted jobs may have what opens nothing to others" = all [
    (silent (untrusted { }))
    (silent (untrusted {
      programs = "hosted";
      hooks.jobStarted = "true";
      nix.access = "allowed";
      nix.substituters = [ "https://example.org" ];
      minFreeSpace = "4G";
      steps.prepare.wrapper = "/bin/wrap";
    }))
    (silent (untrusted {
      user = "ci";
      sandbox.umask = "0022";
    }))
  ];
}
