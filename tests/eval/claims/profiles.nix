# What options of profiles open for jobs: the lines of the unit, what is refused, and what
# stays as it is.
context@{
  lib,
  host,
  runner,
  ...
}:

let
  profile = import ../profile.nix context;
  inherit (profile)
    all
    changed
    may
    mayOf
    of
    refused
    service
    silent
    told
    unitOf
    ;

  # Every option of a profile as it is by default.
  off = {
    devices = [ ];
    deviceGroups = [ ];
    kvm = false;
  };
in
{
  "options of profiles that are off change nothing" = {
    expected = true;
    actual =
      let
        texts =
          changes:
          let
            result = host { runners.one = runner // changes; };
          in
          {
            inherit (result) unitTexts tmpfilesRules;
            inherit (result.config) users;
            fleet = result.etc."github-runners/fleet.json".source.text;
          };
      in
      texts off == texts { };
  };
  "a runner without a profile is said to have nothing in particular" = {
    expected = null;
    actual = may { };
  };

  "a device is shown and allowed, and no other one" = {
    expected = {
      gone = [ ];
      new = [
        "BindPaths=-/dev/net/tun"
        "BindPaths=-/dev/fuse"
        "DeviceAllow=/dev/net/tun rw"
        "DeviceAllow=/dev/fuse rw"
        "SupplementaryGroups=video"
      ];
    };
    actual = changed {
      devices = [
        "/dev/net/tun"
        "/dev/fuse"
        "/dev/fuse"
      ];
      deviceGroups = [
        "video"
        "video"
      ];
    };
  };
  "devices come after what drops all others, and before those of overrides" = {
    expected = {
      DeviceAllow = [
        ""
        "/dev/kvm rw"
        "/dev/uinput"
      ];
      PrivateDevices = true;
    };
    actual = {
      inherit
        (service {
          kvm = true;
          serviceOverrides.DeviceAllow = [ "/dev/uinput" ];
        })
        DeviceAllow
        PrivateDevices
        ;
    };
  };
  "virtual machines have their node, and its group where there is one" = {
    expected = [
      [
        [ "-/dev/kvm" ]
        null
      ]
      [
        [ "-/dev/kvm" ]
        [ "kvm" ]
      ]
    ];
    actual =
      map
        (
          groups:
          let
            config =
              (unitOf (
                of {
                  devices = [ "/dev/kvm" ];
                  kvm = true;
                } { users.groups = groups; }
              )).serviceConfig;
          in
          [
            config.BindPaths
            (config.SupplementaryGroups or null)
          ]
        )
        [
          { }
          { kvm = { }; }
        ];
  };
  "devices that are none, or that all of the host shares, are refused" = all (
    lib.mapAttrsToList (device: refused { devices = [ device ]; }) {
      "kvm" = "is not below `/dev`";
      "/dev" = "is not below `/dev`";
      "/dev/" = "is not below `/dev`";
      "/srv/file" = "is not below `/dev`";
      "/dev/../etc/shadow" = "holds `.` or `..`";
      "/dev/./mem" = "holds `.` or `..`";
      "/dev//mem" = "empty part";
      "/dev/a b" = "another name of the node";
      "/dev/a:/etc" = "another name of the node";
      "/dev/kvm\tx" = "another name of the node";
      "/dev/shm" = "all of the host shares";
      "/dev/shm/x" = "all of the host shares";
    }
  );
  "memory of the kernel and whole disks are refused, unless jobs are trusted like root" = all (
    lib.concatMap
      (device: [
        (refused { devices = [ device ]; } "trustJobsLikeRoot")
        (silent {
          devices = [ device ];
          trustJobsLikeRoot = true;
        })
      ])
      [
        "/dev/mem"
        "/dev/kmem"
        "/dev/port"
        "/dev/sda"
        "/dev/sdb1"
        "/dev/nvme0"
        "/dev/nvme0n1p2"
        "/dev/vda"
        "/dev/dm-0"
        "/dev/mapper/root"
        "/dev/disk/by-label/nixos"
      ]
    ++ [
      (silent {
        devices = [
          "/dev/dri/renderD128"
          "/dev/loop-control"
          "/dev/snd/timer"
          "/dev/serial/by-id/usb-FTDI_x-if00-port0"
          "/dev/sgx_enclave"
        ];
      })
      (refused { deviceGroups = [ "a b" ]; } "`deviceGroups`")
      (told { deviceGroups = [ "docker" ]; } "can become root")
    ]
  );
  "every runner says which devices its jobs have" = {
    expected = [
      [
        "/dev/kvm"
        "group video"
      ]
      [
        "/dev/kvm"
        "group video"
      ]
    ];
    actual = mayOf (
      of {
        count = 2;
        kvm = true;
        deviceGroups = [ "video" ];
      } { }
    );
  };
}
