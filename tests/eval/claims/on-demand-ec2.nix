# Classes of runners on demand on EC2: their brokers, manifests and settings.
{
  lib,
  pkgs,
  host,
  ...
}:

let
  inherit (builtins)
    attrNames
    elem
    fromJSON
    readFile
    ;
  inherit
    (import ../orders.nix {
      inherit
        host
        lib
        pkgs
        ;
    })
    cloudManifestOf
    everything
    onEc2
    onEc2With
    partsOf
    plain
    settingsOf
    ;

  kindOf = host: (settingsOf host).classes.pmu.kind.ec2;
  name = "github-runner-broker-on-demand-cloud-pmu";
  brokerOf = host: host.services."${name}@".serviceConfig;
  broker = brokerOf everything;
  byRole = onEc2 {
    credentialFile = null;
    instanceProfile = true;
  };
  range = count: map toString (lib.range 1 count);

  golden = unit: {
    name = "the unit ${unit} is the golden one";
    value = {
      expected = readFile (../golden + "/${unit}");
      actual = everything.unitTexts.${unit};
    };
  };
in
builtins.listToAttrs (
  map golden [
    "${name}.socket"
    "${name}@.service"
  ]
)
// {
  "the module writes the manifest of a cloud that its broker reads in its tests" = {
    expected = fromJSON (readFile ../../fixtures/cloud-manifest-v1.json);
    actual = cloudManifestOf everything;
  };

  "a host without a class on EC2 has nothing of a cloud" =
    let
      without = plain { };
    in
    {
      expected = {
        units = [ ];
        manifests = { };
      };
      actual = {
        units = lib.filter (lib.hasInfix "cloud") (attrNames without.unitTexts);
        manifests = (partsOf without).cloudManifests;
      };
    };

  "a cloud's broker is told its manifest, and the desk its socket" = {
    expected = {
      ExecStart = "${pkgs.package "github-runnerctl"}/bin/github-runnerctl cloud-broker --manifest ${(partsOf everything).cloudManifests.pmu}";
      socket = [ (kindOf everything).broker ];
    };
    actual = {
      inherit (broker) ExecStart;
      socket = everything.sockets.${name}.listenStreams;
    };
  };

  "a cloud's broker has the sandbox of brokers, and its socket is theirs" =
    let
      other = everything.services."github-runner-broker-on-demand@".serviceConfig;
      # What is about the credential and about the manifest.
      own = [
        "BindPaths"
        "BindReadOnlyPaths"
        "ExecStart"
        "InaccessiblePaths"
        "LoadCredential"
        "RuntimeDirectory"
        "RuntimeDirectoryMode"
        "RuntimeDirectoryPreserve"
        "SetCredential"
        "User"
      ];
      socketOf =
        unit:
        removeAttrs everything.sockets.${unit} [
          "description"
          "listenStreams"
          "socketConfig"
        ]
        // {
          # But for how many may ask at once.
          socketConfig = removeAttrs everything.sockets.${unit}.socketConfig [ "MaxConnections" ];
        };
    in
    {
      expected = {
        changed = [ ];
        socket = socketOf "github-runner-broker-on-demand";
        environment = everything.services."github-runner-broker-on-demand@".environment;
      };
      actual = {
        changed = lib.filter (
          directive: !elem directive own && other.${directive} != broker.${directive} or null
        ) (attrNames other);
        socket = socketOf name;
        inherit (everything.services."${name}@") environment;
      };
    };

  "a cloud's broker has one way to its credential, and no other credential" =
    let
      of = host: {
        files = (brokerOf host).LoadCredential or [ ];
        closed = (brokerOf host).IPAddressDeny or [ ];
        inherit (cloudManifestOf host) credential;
      };
    in
    {
      expected = {
        file = {
          files = [ "credential:/run/secrets/aws" ];
          closed = [
            "169.254.169.254"
            "fd00:ec2::254"
          ];
          credential = "file";
        };
        role = {
          files = [ ];
          closed = [ ];
          credential = "instanceProfile";
        };
      };
      actual = {
        file = of everything;
        role = of byRole;
      };
    };

  "nobody but its broker sees a cloud's credential, and that sees none of GitHub" =
    let
      closedTo = host: unit: host.services.${unit}.serviceConfig.InaccessiblePaths;
      host = onEc2 { credentialFile = "/run/secrets/100%"; };
      properties = (settingsOf host).brokerProperties;
    in
    {
      expected = [ ];
      actual =
        lib.filter (unit: !elem "-/run/secrets/100%%" (closedTo host unit)) [
          "${name}@"
          "github-runner-broker-on-demand@"
          "github-runner-on-demand-host@"
        ]
        ++ lib.optional (!elem "InaccessiblePaths=-/run/secrets/100%%" properties) "brokers of orders"
        ++ lib.filter (path: !elem path (closedTo host "${name}@")) [
          "-/run/secrets/token"
          "-/var/lib/github-runner-registrations"
          "-/run/github-runner-broker-kept"
          "-/run/private/github-runner-broker-kept"
          "-/run/github-runner-on-demand"
          "-/var/lib/github-runner-on-demand"
        ];
    };

  "the path of a cloud's credential is in no file" = {
    expected = [ ];
    actual = lib.filter (lib.hasInfix "/run/secrets/aws") [
      (partsOf everything).cloudManifests.pmu.text
      (partsOf everything).manifest.text
    ];
  };

  "what is not configured on EC2 is not in its manifest, and the newest image is that of the architecture" =
    let
      manifest = cloudManifestOf (
        onEc2With { architecture = "aarch64"; } {
          image = { };
          runner = {
            version = "2.330.0";
            hash = lib.concatMapStrings (_: "A") (lib.range 1 64);
          };
        }
      );
    in
    {
      expected = {
        fields = [
          "architecture"
          "candidates"
          "class"
          "credential"
          "endpoint"
          "image"
          "instanceTypes"
          "region"
          "securityGroups"
          "spot"
          "subnets"
          "version"
          "volume"
        ];
        architecture = "arm64";
        image.newest = {
          owner = "099720109477";
          name = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-*";
        };
      };
      actual = {
        fields = attrNames manifest;
        inherit (manifest) architecture image;
      };
    };

  "an image by its id is in the manifest alone, and needs no runner" = {
    expected = {
      image.id = "ami-0123456789abcdef0";
      kind = [
        "broker"
        "candidates"
        "place"
        "spot"
      ];
    };
    actual = {
      inherit (cloudManifestOf (onEc2 { })) image;
      kind = attrNames (kindOf (onEc2 { }));
    };
  };

  "machines fetch the runner of their architecture, or the one that is named" =
    let
      runner = {
        version = "2.330.0";
        hash = lib.concatMapStrings (_: "A") (lib.range 1 64);
      };
      of =
        architecture: runner: (kindOf (onEc2With { inherit architecture; } { inherit runner; })).runner;
    in
    {
      expected = {
        arm64 = {
          url = "https://github.com/actions/runner/releases/download/v2.330.0/actions-runner-linux-arm64-2.330.0.tar.gz";
          sha256 = lib.concatMapStrings (_: "a") (lib.range 1 64);
        };
        named = "https://example.org/runner.tar.gz";
      };
      actual = {
        arm64 = of "arm64" runner;
        named = (of "x86_64" (runner // { url = "https://example.org/runner.tar.gz"; })).url;
      };
    };

  "EC2 is asked at the endpoint of the region, or at the one that is named" = {
    expected = [
      "https://ec2.us-gov-west-1.amazonaws.com"
      "https://ec2.cn-north-1.amazonaws.com.cn"
      "https://ec2.example.org:8443"
    ];
    actual = map (changes: (cloudManifestOf (onEc2 changes)).endpoint) [
      { region = "us-gov-west-1"; }
      { region = "cn-north-1"; }
      { endpoint = "https://ec2.example.org:8443"; }
    ];
  };

  # Types, subnets, spot, on demand → how many are spot instances, and how many there are.
  "there are eight candidates at most, and room for some at the list price" =
    let
      counted =
        types: subnets: spot: onDemand:
        let
          host = onEc2 {
            inherit onDemand spot;
            types = map (number: "c7i.${number}xlarge") (range types);
            subnets = map (number: "subnet-${number}") (range subnets);
          };
          count = set: [
            set.spot
            set.candidates
          ];
        in
        if count (kindOf host) == count (cloudManifestOf host) then count (kindOf host) else [ ];
    in
    {
      expected = [
        [
          1
          2
        ]
        [
          4
          8
        ]
        [
          5
          8
        ]
        [
          3
          6
        ]
        [
          8
          8
        ]
        [
          2
          2
        ]
        [
          0
          8
        ]
        [
          0
          1
        ]
      ];
      actual = [
        (counted 1 1 true true)
        (counted 2 2 true true)
        (counted 3 3 true true)
        (counted 1 3 true true)
        (counted 3 3 true false)
        (counted 2 1 true false)
        (counted 3 3 false true)
        (counted 1 1 false true)
      ];
    };

  "runs of forks have instances of EC2 by default" = {
    expected = [
      true
      false
    ];
    actual = map (host: (settingsOf host).classes.pmu.forks) [
      (onEc2 { })
      (onEc2With { allowForks = false; } { })
    ];
  };
}
