# What Incus of this host should be for a fleet of GARM: the preseed of `virtualisation.incus`, and the settings of
# garm-fleet-incus.sh for everything that has an owner. Pure functions of the options.
{
  lib,
  # Value of `services.garm-fleet`.
  options,
  # Address as guests reach GARM.
  guestUrl,
}:

let
  inherit (options) incus;
  mark."user.garm-fleet" = "yes";
  given = lib.filterAttrs (_: value: value != null);

  # Every address that is none of a local network: rules that reject go before those that allow, and GARM is usually local.
  outside = [
    "1.0.0.0-9.255.255.255"
    "11.0.0.0-100.63.255.255"
    "100.128.0.0-126.255.255.255"
    "128.0.0.0-169.253.255.255"
    "169.255.0.0-172.15.255.255"
    "172.32.0.0-192.167.255.255"
    "192.169.0.0-223.255.255.255"
    "2000::/3"
  ];

  garm = import ./garm-fleet-address.nix { inherit lib; } guestUrl;
  # A name says nothing about which of this host's addresses it is.
  isNameHere = options.garm.enable && garm.tls;
  rule = rule: rule // { state = "enabled"; };
  aclName = "${incus.network.name}-guests";

  flavorOf = name: flavor: {
    inherit name;
    description = "Runners of GARM";
    config =
      given {
        "limits.cpu" = flavor.cpu;
        "limits.memory" = flavor.memory;
      }
      // lib.optionalAttrs flavor.nesting { "security.nesting" = "true"; }
      // flavor.config;
    devices = {
      eth0 = {
        type = "nic";
        name = "eth0";
        network = incus.network.name;
        # Guests do not see each other, and none of them speaks for another one.
        "security.port_isolation" = "true";
        "security.mac_filtering" = "true";
        "security.ipv4_filtering" = "true";
      };
      root = given {
        type = "disk";
        path = "/";
        pool = incus.storage.pool;
        size = flavor.disk;
      };
    };
  };
in
{
  # It overwrites what it finds, whosever that is, so a network or a pool is nothing for it.
  preseed.config."core.https_address" = incus.address;

  settings =
    {
      # Alias → image, with that of this module.
      images,
      # Directory of GARM's certificate, or null.
      client,
      # The unit that has it, or null.
      restart,
    }:
    {
      project = {
        name = incus.project;
        description = "Runners of GARM";
        config = {
          "features.images" = "true";
          "features.profiles" = "true";
          "features.storage.volumes" = "true";
          # Its network is that of the default project, where nobody of this one changes it.
          "features.networks" = "false";
          restricted = "true";
          "restricted.networks.access" = incus.network.name;
        }
        // lib.optionalAttrs (lib.any (flavor: flavor.nesting) (builtins.attrValues incus.flavors)) {
          "restricted.containers.nesting" = "allow";
        }
        // lib.mapAttrs' (name: value: lib.nameValuePair "limits.${name}" (toString value)) incus.limits
        // mark;
      };
      storage = {
        name = incus.storage.pool;
        inherit (incus.storage) driver;
        config = given { inherit (incus.storage) source; } // mark;
      };
      network = {
        inherit (incus.network) name;
        type = "bridge";
        config = {
          "ipv4.address" = incus.network.address;
          "ipv4.nat" = "true";
          "ipv6.address" = "none";
          "security.acls" = aclName;
        }
        // mark;
      };
      acl = {
        name = aclName;
        description = "What runners of GARM reach";
        egress =
          lib.optional (garm.address != null) (rule {
            action = "allow";
            description = "GARM";
            destination = "${garm.address}/32";
            destination_port = garm.port;
            protocol = "tcp";
          })
          ++ map (
            { address, port }:
            rule (
              {
                action = "allow";
                description = "configured";
                destination = address;
              }
              // lib.optionalAttrs (port != null) {
                destination_port = port;
                protocol = "tcp";
              }
            )
          ) incus.network.reach
          ++ [
            (rule {
              action = "allow";
              description = "everything that is no local network";
              destination = lib.concatStringsSep "," outside;
            })
          ];
        ingress = [ ];
        config = mark;
      };
      profiles = lib.mapAttrsToList flavorOf incus.flavors;
      inherit client restart;
      trusted = lib.mapAttrsToList (name: file: {
        inherit name;
        # A certificate is no secret.
        file = "${file}";
      }) incus.trusted;
      images = lib.mapAttrsToList (
        alias: image:
        given {
          inherit alias;
          metadata = "${image.metadata}";
          root = if image.root == null then null else "${image.root}";
          source = "${image.metadata}${lib.optionalString (image.root != null) " ${image.root}"}";
        }
      ) images;
    };

  # What guests reach of this host itself, whatever addresses it has: nftables, before the host's own firewall.
  guard = {
    family = "inet";
    content = ''
      chain guests {
        type filter hook input priority filter - 5; policy accept;
        iifname != "${incus.network.name}" return
        ct state { established, related } accept
        meta nfproto ipv4 udp dport { 53, 67 } accept
        tcp dport 53 accept
    ''
    + lib.optionalString (garm.address != null) ''
      ${"  "}ip daddr ${garm.address} tcp dport ${garm.port} accept
    ''
    + lib.optionalString isNameHere ''
      ${"  "}meta nfproto ipv4 tcp dport ${garm.port} accept
    ''
    + ''
        icmp type { echo-request, destination-unreachable, time-exceeded } accept
        reject
      }
    '';
  };

  ports = {
    allowedUDPPorts = [
      53
      67
    ];
    allowedTCPPorts = [
      53
    ]
    ++ lib.optional (garm.address != null || isNameHere) (builtins.fromJSON garm.port);
  };
}
