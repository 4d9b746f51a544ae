# What is wrong with a class of runners on demand whose machines are instances of EC2, as a list of NixOS assertions. A pure
# function over values.
{
  lib,
  # As on-demand.nix has them.
  refuse,
  refuseFirst,
  refuseSecret,
}:

{
  # The class's name and value.
  class,
  value,
  # Value of the limit of that name.
  costPerDay,
}:

let
  inherit (value) ec2;
  inherit (ec2) image runner;
  inherit (import ../frontends/on-demand-ec2.nix { inherit lib; }) architectures canonical;

  what = "`classes.${class}.ec2`";
  of = option: "`classes.${class}.ec2.${option}`";
  said = option: text: "${of option} (${builtins.toJSON text})";
  matches = pattern: text: builtins.match pattern text != null;

  # The first name that is none.
  refuseNames =
    {
      option,
      pattern,
      example,
      none,
    }:
    let
      names = ec2.${option};
      wrong = lib.filter (name: !matches pattern name) names;
    in
    [
      (refuse (
        names == [ ]
      ) "${of option} is empty, so there is ${none}. Name one, such as `${example}`.")
    ]
    ++ map (name: refuse true "${said option name} is none. Such a name is like `${example}`.") (
      lib.take 1 wrong
    );
in
[
  (refuse (!architectures ? ${value.architecture})
    "`classes.${class}.architecture` (${builtins.toJSON value.architecture}) is none that EC2 has. Set it to `x86_64` or `arm64`."
  )
  (refuse (value.pricePerHour == 0)
    "`classes.${class}.pricePerHour` is 0, but EC2 costs money. Say what an hour of the dearest type costs on demand."
  )
  (refuse (
    costPerDay == null
  ) "${what} costs money, and nothing limits what a day costs. Set `limits.costPerDay`.")

  (refuse (ec2.credentialFile == null && !ec2.instanceProfile)
    "${what} has nothing by which EC2 knows who asks. Set `credentialFile`, or `instanceProfile` if this host is an instance of EC2 that has a role."
  )
  (refuse (ec2.credentialFile != null && ec2.instanceProfile)
    "${what} has both `credentialFile` and `instanceProfile`, and only one of them can count. Remove the other one."
  )
]
++ lib.optionals (ec2.credentialFile != null) (
  refuseSecret (of "credentialFile") "key" ec2.credentialFile
)
++ [
  (refuse (
    !matches "[a-z]{2}(-[a-z]+)+-[0-9]+" ec2.region
  ) "${said "region" ec2.region} is no region. Write its code, such as `eu-central-1`.")
]
++ lib.optionals (ec2.endpoint != null) (
  refuseFirst (said "endpoint" ec2.endpoint) [
    {
      fault = !lib.hasPrefix "https://" ec2.endpoint;
      message = "does not start with `https://`. User data travels to it, and that registers runners; use `https://`.";
    }
    {
      fault = !matches "https://[A-Za-z0-9.-]+(:[0-9]{1,5})?" ec2.endpoint;
      message = "is not a host alone. Write `https://HOST`, without a path and without a slash at its end.";
    }
  ]
)
++ (
  if image.id != null then
    [
      (refuse (
        !matches "ami-[0-9a-f]+" image.id
      ) "${said "image.id" image.id} is no image. Such an id is like `ami-0123456789abcdef0`.")
    ]
  else
    [
      (refuse (
        !matches "[0-9]{12}|self|amazon|aws-marketplace" image.owner
      ) "${said "image.owner" image.owner} is no account. Write its 12 digits, `self` or `amazon`.")
      (refuse (!matches "[^[:cntrl:]]*[^[:cntrl:][:space:]*?][^[:cntrl:]]*" image.name)
        "${of "image.name"} is blank, fits any name, or holds a control character. Write how the image's name begins, and a `*`."
      )
      (refuse (image.owner == canonical && runner == null)
        "${what} has an image of Ubuntu, which has no runner. Set `runner` to one that machines fetch, or `image.id` to an image that has one."
      )
    ]
)
++ refuseNames {
  option = "types";
  pattern = "[a-z0-9-]+\\.[a-z0-9-]+";
  example = "c7i.xlarge";
  none = "nothing to ask for";
}
++ refuseNames {
  option = "subnets";
  pattern = "subnet-[0-9a-f]+";
  example = "subnet-0123456789abcdef0";
  none = "no place for instances";
}
++ refuseNames {
  option = "securityGroups";
  pattern = "sg-[0-9a-f]+";
  example = "sg-0123456789abcdef0";
  none = "nothing that closes instances to others";
}
++ [
  (refuse (
    !ec2.spot && !ec2.onDemand
  ) "${what} allows neither `spot` nor `onDemand`, so no instance can be made. Allow one of them.")
]
++ lib.optionals (runner != null) (
  refuseFirst (of "runner") [
    {
      fault = !matches "[0-9]+\\.[0-9]+\\.[0-9]+" runner.version;
      message = "has a `version` (${builtins.toJSON runner.version}) that is none. Write it without a `v`, such as `2.330.0`.";
    }
    {
      fault = !matches "[0-9A-Fa-f]{64}" runner.hash;
      message = "has a `hash` that is no SHA-256 in 64 hexadecimal digits. Copy it from the page of the release, or have `sha256sum` print it.";
    }
    {
      fault = !matches "https://[A-Za-z0-9._~:/?#@&+,=%-]+" runner.url;
      message = "has a `url` (${builtins.toJSON runner.url}) that is no address with `https://`. Correct it.";
    }
  ]
)
