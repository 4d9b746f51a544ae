# What the instances of EC2 of a class of runners on demand are, and by what right they are made.
{
  # The class's, as its label has it.
  architecture,
}:

{ lib, ... }:

let
  inherit (lib) literalExpression mkOption types;
  inherit (import ../frontends/on-demand-ec2.nix { inherit lib; }) canonical;

  names =
    example: description:
    mkOption {
      type = types.listOf types.str;
      default = [ ];
      inherit description example;
    };
  isArm = architecture != "x86_64";
in
{
  options = {
    region = mkOption {
      type = types.str;
      example = "eu-central-1";
      description = "Region in which instances are made.";
    };

    endpoint = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://vpce-0123456789abcdef0-example.ec2.eu-central-1.vpce.amazonaws.com";
      description = ''
        Where EC2 is asked, without a path. `null` stands for that of the region, `https://ec2.‹region›.amazonaws.com`, and in China
        `https://ec2.‹region›.amazonaws.com.cn`.
      '';
    };

    credentialFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/github-runner/aws";
      description = ''
        File on the target machine with the key of a user of AWS, in the format of {file}`~/.aws/credentials`: the profile `[default]` with
        `aws_access_key_id`, `aws_secret_access_key`, and for temporary ones `aws_session_token`. Only root needs to be able to read it. It
        is read for each question, so a new key needs no restart. Let it be a user that has no other right than those in the manual. Set
        this or {option}`services.github-runner-on-demand.classes.<name>.ec2.instanceProfile`.
      '';
    };

    instanceProfile = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether this host is an instance of EC2 itself, whose role makes the others. **Jobs of this host that reach the metadata service at
        `169.254.169.254` have that role, too**, so keep jobs on other hosts, or close it for them.
      '';
    };

    image = {
      id = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "ami-0123456789abcdef0";
        description = ''
          Image of the instances. With `null` it is the newest one of
          {option}`services.github-runner-on-demand.classes.<name>.ec2.image.owner` with
          {option}`services.github-runner-on-demand.classes.<name>.ec2.image.name`.
        '';
      };

      owner = mkOption {
        type = types.str;
        default = canonical;
        example = "self";
        description = ''
          Account whose images are looked at: a number, `self` for that of the credential, or `amazon`. The default is Canonical, which makes
          Ubuntu.
        '';
      };

      name = mkOption {
        type = types.str;
        default = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-${
          if isArm then "arm64" else "amd64"
        }-server-*";
        defaultText = literalExpression ''
          "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-‹amd64 or arm64›-server-*"
        '';
        example = "nixos-runner-*";
        description = "Name of the image, in which `*` stands for any text and `?` for one character.";
      };
    };

    types = names [ "c7i.xlarge" "m7i.xlarge" ] ''
      Types of instances that are good enough, those that you like best first. All of them have to be of the class's architecture.
    '';

    subnets = names [ "subnet-0123456789abcdef0" ] ''
      Subnets in which instances may be. In several availability zones there is more often room for one.
    '';

    securityGroups = names [ "sg-0123456789abcdef0" ] ''
      Security groups of the instances. They need no way in, and a way out to GitHub.
    '';

    spot = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether spot instances are asked for, each type in each subnet, before all others. They cost a fraction, and **EC2 may take them
        away while a job runs**.
      '';
    };

    onDemand = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether instances at the list price are asked for. With
        {option}`services.github-runner-on-demand.classes.<name>.ec2.spot` that is where no spot instance is to be had. There are eight
        attempts for an order, five of them for spot instances if both are allowed.
      '';
    };

    publicAddress = mkOption {
      type = types.nullOr types.bool;
      default = null;
      example = true;
      description = ''
        Whether instances have a public address. `null` leaves it to the subnet. Without one they need another way to GitHub, such as a NAT
        gateway.
      '';
    };

    volume = mkOption {
      type = types.ints.positive;
      default = 40;
      example = 100;
      description = "Size of the root disk in GiB. It is deleted with its instance.";
    };

    runner = mkOption {
      type = types.nullOr (
        types.submodule (
          { config, ... }:
          {
            options = {
              version = mkOption {
                type = types.str;
                example = "2.330.0";
                description = "Version of the runner, without a `v`. GitHub gives no jobs to runners that are some months old.";
              };

              hash = mkOption {
                type = types.str;
                example = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
                description = ''
                  SHA-256 of the archive in 64 hexadecimal digits, as its page at GitHub has it. A machine runs no other one.
                '';
              };

              url = mkOption {
                type = types.str;
                default = "https://github.com/actions/runner/releases/download/v${config.version}/actions-runner-linux-${
                  if isArm then "arm64" else "x64"
                }-${config.version}.tar.gz";
                defaultText = literalExpression ''
                  "https://github.com/actions/runner/releases/download/v‹version›/actions-runner-linux-‹x64 or arm64›-‹version›.tar.gz"
                '';
                description = "Where machines fetch the archive.";
              };
            };
          }
        )
      );
      default = null;
      example = {
        version = "2.330.0";
        hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
      };
      description = ''
        The runner that machines fetch when they boot. `null` for an image that has one, see the manual; Ubuntu's has none.
      '';
    };
  };
}
