# Incus of this host for a fleet of GARM: project, network, flavors, images, and whom it lets in.
{ lib, ... }:

let
  inherit (lib) literalExpression mkOption types;

  flavor.options = {
    cpu = mkOption {
      type = types.nullOr types.str;
      default = "2";
      example = "8";
      description = "Processors of an instance (`limits.cpu`). `null` sets no limit.";
    };
    memory = mkOption {
      type = types.nullOr types.str;
      default = "4GiB";
      example = "16GiB";
      description = "Memory of an instance (`limits.memory`). `null` sets no limit.";
    };
    disk = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "40GiB";
      description = "Size of its root disk. `null` leaves it to the image and the storage.";
    };
    nesting = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: containers in containers, such as docker of jobs, and with them more of the host's kernel. It is set for the project, too,
        and does nothing for virtual machines, which need none.
      '';
    };
    config = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        "limits.processes" = "2000";
      };
      description = "Further settings of the profile, by the names of Incus. They win. They are in the store, so no secret belongs here.";
    };
  };
in
{
  options.services.garm-fleet.incus = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether instances run on this host: this turns on {option}`virtualisation.incus`, and makes what the fleet needs there. It also
        turns on {option}`networking.nftables.enable`, without which nothing would keep guests from this host; off, it is refused.
      '';
    };

    project = mkOption {
      type = types.str;
      default = "garm-fleet";
      description = ''
        Project of the fleet, with images and profiles of its own. It is made by this module and belongs to it: settings that somebody
        changes there are set back. One of the same name that this module did not make is refused.
      '';
    };

    limits = mkOption {
      type = types.attrsOf (types.either types.int types.str);
      default = { };
      example = {
        instances = 8;
        memory = "48GiB";
      };
      description = ''
        What all instances together get, by the names that Incus has after `limits.`. With a limit of memory or processors each flavor needs
        one, too.
      '';
    };

    instanceType = mkOption {
      type = types.enum [
        "container"
        "virtual-machine"
      ];
      default = "virtual-machine";
      description = ''
        What instances of this host are, and the kind of {option}`services.garm-fleet.runnerImage`. Opens: with `container`, the kernel
        of this host to jobs. A virtual machine needs {file}`/dev/kvm`.
      '';
    };

    address = mkOption {
      type = types.str;
      default = "127.0.0.1:8443";
      example = "192.0.2.20:8443";
      description = ''
        Where Incus listens. Opens: with another address, Incus to whoever reaches it and has a certificate that it knows. The firewall
        stays closed; open it to GARM's host alone.
      '';
    };

    trusted = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = {
        first = literalExpression "./garm-of-first.crt";
      };
      description = ''
        Opens: the project of the fleet to whoever has the key, by names. Certificates of GARMs of other hosts, for
        {option}`services.garm-fleet.incus.project` alone. One that is taken out here is taken out of Incus.
      '';
    };

    network.name = mkOption {
      type = types.strMatching "[a-z][a-z0-9-]{0,12}";
      default = "garm0";
      description = "Bridge of the guests, which is made by this module and belongs to the fleet alone. One of the same name that this module did not make is refused.";
    };

    network.address = mkOption {
      type = types.strMatching "[0-9.]+/[0-9]+";
      default = "10.213.0.1/24";
      description = "IPv4 address of this host on the bridge, with the size of the network. Guests get theirs by DHCP, and none of IPv6.";
    };

    network.reach = mkOption {
      type = types.listOf (
        types.submodule {
          options = {
            address = mkOption {
              type = types.str;
              example = "192.0.2.30/32";
              description = "Addresses, as Incus writes them in `destination` of a rule.";
            };
            port = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "443";
              description = "Ports of TCP. `null` stands for all ports and protocols.";
            };
          };
        }
      );
      default = [ ];
      example = [
        {
          address = "192.0.2.30/32";
          port = "443";
        }
      ];
      description = ''
        Opens: these addresses to guests, such as those of a cache in a local network. Without it they reach GARM's metadata and callbacks,
        DHCP and DNS of the bridge, and addresses that are public.
      '';
    };

    storage.pool = mkOption {
      type = types.str;
      default = "garm-fleet";
      description = "Pool of storage for instances, which is made by this module. One of the same name that this module did not make is refused.";
    };

    storage.driver = mkOption {
      type = types.enum [
        "btrfs"
        "dir"
        "lvm"
        "zfs"
      ];
      default = "dir";
      description = "Kind of that pool. With `dir` an instance begins with a copy of its image; the others need a source.";
    };

    storage.source = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "tank/incus";
      description = ''
        Data set, volume group, device or directory of the pool. Without it Incus would put the drivers other than `dir` into a file on a
        loop device, which is refused.
      '';
    };

    flavors = mkOption {
      type = types.attrsOf (types.submodule flavor);
      default = { };
      example = {
        large = {
          cpu = "8";
          memory = "16GiB";
        };
      };
      description = ''
        Profiles of the project by the names that pools have for them (`flavor`). Each has a root disk and a card on the bridge, apart from
        that of other guests. `runner` is always there. One that is taken out here is removed when no instance has it.
      '';
    };

    images = mkOption {
      default = { };
      description = ''
        Images of the project by their aliases, besides {option}`services.garm-fleet.runnerImage`. A file at another place is imported
        and gets the alias; the old image is removed when no instance is made from it.
      '';
      type = types.attrsOf (
        types.submodule {
          options = {
            metadata = mkOption {
              type = types.path;
              example = literalExpression ''"''${image.config.system.build.metadata}/tarball/metadata.tar.xz"'';
              description = "Archive with `metadata.yaml`, or the whole image in one file.";
            };
            root = mkOption {
              type = types.nullOr types.path;
              default = null;
              example = literalExpression ''"''${image.config.system.build.squashfs}/nixos.img"'';
              description = "Its file system or disk, where that is a file of its own.";
            };
          };
        }
      );
    };
  };

  options.services.garm-fleet.runnerImage = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether an image of NixOS for runners is built and imported as `nixos-runner`, with the runner of nixpkgs in it.";
    };

    modules = mkOption {
      type = types.listOf types.raw;
      default = [ ];
      example = literalExpression "[ { environment.systemPackages = [ pkgs.docker ]; } ]";
      description = "Further NixOS modules of that image: what jobs find there. Changed, they are another image, for instances from then on.";
    };
  };
}
