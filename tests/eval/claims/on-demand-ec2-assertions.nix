# Classes of runners on demand on EC2 that are refused, by what the message says, and their neighbours that are not.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit
    (import ../orders.nix {
      inherit
        host
        lib
        pkgs
        ;
    })
    accepted
    instances
    onEc2
    onEc2With
    plain
    says
    ;

  refused = changes: says (onEc2 changes);
  # The values with which not exactly one message says something of the option.
  taken = option: faults: values: {
    expected = [ ];
    actual = lib.filter (
      value:
      let
        inherit (onEc2 (option value)) failures;
      in
      builtins.length failures != 1 || !lib.hasInfix faults (builtins.head failures)
    ) values;
  };
  digits = text: lib.concatMapStrings (_: text) (lib.range 1 64);
  download = {
    version = "2.330.0";
    hash = digits "0";
  };
in
{
  "the role of a host is told where jobs run on it" =
    let
      byRole = {
        credentialFile = null;
        instanceProfile = true;
      };
      told = host: lib.any (lib.hasInfix "means the role of this host") host.warnings;
    in
    {
      expected = [
        false
        false
        true
      ];
      actual = map told [
        (onEc2 { })
        (plain {
          classes = lib.mkForce {
            pmu = instances // {
              ec2 = instances.ec2 // byRole;
            };
          };
          limits.costPerDay = 40;
        })
        (onEc2 byRole)
      ];
    };

  "a class on EC2 to which nobody can object is not objected to" = accepted [
    (onEc2 { })
    (onEc2 {
      credentialFile = null;
      instanceProfile = true;
    })
    (onEc2 {
      image = { };
      runner = download;
    })
    (onEc2 {
      image = {
        owner = "self";
        name = "nixos-runner-*";
      };
    })
    (onEc2 { endpoint = "https://ec2.example.org"; })
    (onEc2 { spot = false; })
    (onEc2 { onDemand = false; })
    (onEc2With { architecture = "arm64"; } { })
    (onEc2With { architecture = "aarch64"; } { })
  ];

  "a class on EC2 without a credential is refused" =
    refused
      {
        credentialFile = null;
      }
      "`classes.pmu.ec2` has nothing by which EC2 knows who asks. Set `credentialFile`, or `instanceProfile`";
  "two credentials for EC2 are refused" = refused {
    instanceProfile = true;
  } "`classes.pmu.ec2` has both `credentialFile` and `instanceProfile`";
  "a credential for EC2 in the store is refused" = refused {
    credentialFile = "${builtins.storeDir}/00000000000000000000000000000000-aws";
  } "`classes.pmu.ec2.credentialFile` is in the store, where everyone can read the key.";
  "a credential for EC2 that is a path of Nix is refused" = refused {
    credentialFile = ../fixtures/runners.json;
  } "`classes.pmu.ec2.credentialFile` is a Nix path";
  "a credential for EC2 that is no path is refused by its type" = {
    expected = false;
    actual =
      let
        inherit (onEc2 { credentialFile = "aws_access_key_id = AKIAEXAMPLEEXAMPLE00"; }) failures;
      in
      (builtins.tryEval (builtins.deepSeq failures true)).success;
  };
  "a credential for EC2 that systemd could not hand over is refused" = refused {
    credentialFile = "/run/secrets/my key";
  } "`classes.pmu.ec2.credentialFile` holds a space or a backslash";

  "a region that is none is refused" = taken (region: { inherit region; }) "is no region" [
    ""
    "eu-central-1a"
    "Frankfurt"
    "eu-central"
    "EU-central-1"
    "eu-central-1\n"
  ];
  "regions of all kinds are accepted" = accepted (
    map (region: onEc2 { inherit region; }) [
      "us-east-1"
      "cn-northwest-1"
      "us-gov-west-1"
      "ap-southeast-5"
    ]
  );
  "an endpoint without TLS is refused" = refused {
    endpoint = "http://ec2.example.org";
  } "`classes.pmu.ec2.endpoint` (\"http://ec2.example.org\") does not start with `https://`";
  "an endpoint that is no host alone is refused" =
    taken (endpoint: { inherit endpoint; }) "is not a host alone"
      [
        "https://"
        "https://ec2.example.org/"
        "https://ec2.example.org/api"
        "https://key:secret@ec2.example.org"
        "https://ec2.example.org?x"
      ];

  "an image that is none is refused" = taken (id: { image = { inherit id; }; }) "is no image" [
    ""
    "ami-"
    "0123456789abcdef0"
    "ami-XYZ"
    "resolve:ssm:/example"
  ];
  "an account that is none is refused" =
    taken (owner: { image = { inherit owner; }; }) "is no account"
      [
        ""
        "canonical"
        "12345"
      ];
  "a name that fits every image is refused" =
    taken
      (name: {
        image = {
          owner = "self";
          inherit name;
        };
      })
      "fits any name"
      [
        ""
        "*"
        " "
        "a\n*"
      ];
  "an image of Ubuntu without a runner is refused" = refused {
    image = { };
  } "`classes.pmu.ec2` has an image of Ubuntu, which has no runner. Set `runner`";

  "a class on EC2 without types, subnets or security groups is refused" = {
    expected = [ ];
    actual =
      lib.filter
        (
          option:
          let
            inherit (onEc2 { ${option} = [ ]; }) failures;
          in
          builtins.length failures != 1
          || !lib.hasInfix "`classes.pmu.ec2.${option}` is empty" (builtins.head failures)
        )
        [
          "securityGroups"
          "subnets"
          "types"
        ];
  };
  "types that are none are refused" =
    taken
      (type: {
        types = [
          "c7i.xlarge"
          type
        ];
      })
      "is none."
      [
        ""
        "c7i"
        "C7i.xlarge"
        "c7i.xlarge "
        "c7i.*"
      ];
  "types of all kinds are accepted" = accepted [
    (onEc2 {
      types = [
        "u-6tb1.metal"
        "c7gn.metal-48xl"
        "m7i-flex.large"
      ];
    })
  ];
  "subnets that are none are refused" = taken (subnet: { subnets = [ subnet ]; }) "is none." [
    "default"
    "subnet-"
    "sg-0123456789abcdef0"
  ];
  "security groups that are none are refused" =
    taken (group: { securityGroups = [ group ]; }) "is none."
      [
        "default"
        "sg-"
        "subnet-0123456789abcdef0"
      ];

  "neither spot instances nor others is refused" = refused {
    spot = false;
    onDemand = false;
  } "`classes.pmu.ec2` allows neither `spot` nor `onDemand`";

  "a version that is none is refused" =
    taken
      (version: {
        runner = download // {
          inherit version;
        };
      })
      "has a `version`"
      [
        ""
        "v2.330.0"
        "latest"
      ];
  "a hash that is none is refused" =
    taken
      (hash: {
        runner = download // {
          inherit hash;
        };
      })
      "has a `hash` that is no SHA-256"
      [
        ""
        "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        "0${digits "0"}"
        (lib.removePrefix "0" (digits "0"))
        (digits "g")
      ];
  "a hash in capital letters is accepted" = accepted [
    (onEc2 {
      runner = download // {
        hash = digits "A";
      };
    })
  ];
  "an address of the runner that is none is refused" =
    taken
      (url: {
        runner = download // {
          inherit url;
        };
      })
      "has a `url`"
      [
        "http://example.org/runner.tar.gz"
        "https://example.org/a b"
        "https://example.org/'"
        "https://example.org/$(id)"
      ];

  "a class on EC2 without a limit on what a day costs is refused" = says (plain {
    classes.pmu = instances;
  }) "`classes.pmu.ec2` costs money, and nothing limits what a day costs. Set `limits.costPerDay`.";
  "a class on EC2 without a price is refused" = says (onEc2With {
    pricePerHour = 0;
  } { }) "Say what an hour of the dearest type costs on demand.";
  "an architecture that EC2 has not is refused" = says (onEc2With {
    architecture = "pmu";
  } { }) "`classes.pmu.architecture` (\"pmu\") is none that EC2 has. Set it to `x86_64` or `arm64`.";
  "a class on EC2 and on this host is refused" = says (onEc2With {
    nspawn = null;
    incus.image = "runner";
  } { }) "has several kinds of machines, `ec2`, `incus`";

  "forks in instances of EC2 are accepted without a word" = accepted [
    (plain {
      repositories."octo-org/example".forks = true;
      limits.costPerDay = 40;
      classes = {
        host.allowForks = false;
        pmu = instances;
      };
    })
  ];

  "a runner with the units of a cloud's broker is refused" = {
    expected = true;
    actual =
      lib.any (lib.hasInfix "the units of the runner `on-demand-cloud-pmu`")
        (host {
          runners.on-demand-cloud-pmu = runner;
          extra.services.github-runner-on-demand = {
            enable = true;
            address = "https://ci.example.org";
            url = "https://github.com/octo-org";
            tokenFile = "/run/secrets/other";
            repositories."octo-org/example".id = 7;
            limits.costPerDay = 40;
            classes.pmu = instances;
          };
        }).failures;
  };
}
