# A machine with Incus for a fleet of GARM, for the claims that the container of tests/machine/garm-fleet has, too. For tests only.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  # GARM where nixpkgs has it; otherwise something that listens in its place.
  garm =
    pkgs.garm or (pkgs.writeShellScriptBin "garm" ''
      exec ${pkgs.python3}/bin/python3 -m http.server 9997 --bind 127.0.0.1
    '');

  # As tests/machine/garm-fleet makes them.
  images =
    pkgs.runCommand "images"
      {
        nativeBuildInputs = [ pkgs.openssl ];
      }
      ''
        mkdir $out
        for name in one two; do
          mkdir -p $name/rootfs/{bin,dev,etc,proc,root,sbin,sys,tmp}
          cp ${pkgs.pkgsStatic.busybox}/bin/busybox $name/rootfs/bin/busybox
          ln -s busybox $name/rootfs/bin/sh
          echo $name > $name/rootfs/etc/hostname
          install -m 755 ${lease} $name/rootfs/etc/lease
          install -m 755 ${init} $name/rootfs/sbin/init
          cp ${metadata} $name/metadata.yaml
          tar --create --gzip --directory $name --file $out/$name.tar.gz metadata.yaml rootfs
        done
        openssl req -x509 -newkey rsa:2048 -nodes -days 1000 -subj /CN=operator -keyout key -out $out/operator.crt
      '';
  lease = pkgs.writeText "lease" ''
    #!/bin/sh
    [ "$1" != bound ] || {
      /bin/busybox ip address add "$ip/24" dev "$interface"
      /bin/busybox ip route add default via "$router"
    }
  '';
  init = pkgs.writeText "init" ''
    #!/bin/sh
    /bin/busybox ip link set eth0 up
    /bin/busybox udhcpc -i eth0 -b -S -s /etc/lease
    exec /bin/busybox sleep 1000000
  '';
  metadata = pkgs.writeText "metadata.yaml" (
    builtins.toJSON {
      architecture = pkgs.stdenv.hostPlatform.linuxArch or "x86_64";
      creation_date = 1700000000;
      properties = {
        os = "Debian";
        release = "trixie";
      };
    }
  );

  guard = pkgs.writeText "guard.nft" ''
    table inet garm-fleet {
    ${config.networking.nftables.tables.garm-fleet.content}
    }
  '';
in
{
  imports = [ ../. ];

  services.garm-fleet = {
    enable = true;
    garm.package = garm;
    jwtSecretFile = "/etc/secrets/jwt";
    databasePassphraseFile = "/etc/secrets/passphrase";
    admin.passwordFile = "/etc/secrets/admin";
    # The claims answer at its address themselves.
    nginx.enable = false;
    runnerImage.enable = false;
    incus = {
      instanceType = "container";
      limits.instances = 8;
      flavors.runner = {
        cpu = null;
        memory = null;
      };
      images.nixos-runner.metadata = "${images}/one.tar.gz";
    };
  };
  environment.etc = {
    # Obviously none.
    "secrets/jwt".text = "not-a-secret-0123456789-abcdef-ghijkl";
    "secrets/passphrase".text = "not-a-secret-0123456789-abcdef-g";
    "secrets/admin".text = "Not-a-Secret-0123456789";
  };

  # What the claims ask for from guests, so that Incus' rules and the table alone refuse it.
  networking.firewall.allowedTCPPorts = [
    80
    9997
  ];
  environment.systemPackages = [
    pkgs.busybox
    pkgs.jq
    pkgs.openssl
    pkgs.nftables
    (pkgs.writeShellScriptBin "garm-fleet-claims" ''
      exec bash ${../../tests/machine/garm-fleet-claims} ${
        # The script and its settings, as the unit has them.
        lib.concatStringsSep " " (
          lib.drop 1 (lib.splitString " " config.systemd.services.garm-fleet-incus.serviceConfig.ExecStart)
        )
      } ${images} ${guard}
    '')
  ];
  virtualisation = {
    memorySize = 2048;
    diskSize = 4096;
  };
}
