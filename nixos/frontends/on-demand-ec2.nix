# What the manifest of a cloud's broker (version 1) and the settings say about a class of kind `ec2`. Pure functions of its
# options. What is not configured is in neither.
{ lib }:

let
  given = lib.filterAttrs (_: value: value != null);

  # The most machines that are asked for on behalf of an order, and how many of these may be spot instances where others are
  # allowed: room has to be left for them.
  attempts = 8;
  spotAttempts = 5;

  endpointOf =
    ec2:
    if ec2.endpoint != null then
      ec2.endpoint
    else
      "https://ec2.${ec2.region}.amazonaws.com${lib.optionalString (lib.hasPrefix "cn-" ec2.region) ".cn"}";

  # As the programs count them: those of spot instances come first.
  candidatesOf =
    ec2:
    let
      places = builtins.length ec2.types * builtins.length ec2.subnets;
      spot = if ec2.spot then lib.min places (if ec2.onDemand then spotAttempts else attempts) else 0;
      rest = if ec2.onDemand then lib.min places (attempts - spot) else 0;
    in
    {
      inherit spot;
      candidates = spot + rest;
    };
in
{
  # The account that makes Ubuntu.
  canonical = "099720109477";

  # How EC2 calls architectures, by what a class may call them.
  architectures = {
    aarch64 = "arm64";
    arm64 = "arm64";
    x86_64 = "x86_64";
  };

  # For the settings.
  kind =
    {
      # Path of the broker's socket.
      broker,
      ec2,
    }:
    given {
      inherit broker;
      inherit (candidatesOf ec2) candidates spot;
      place = "${ec2.region} ${endpointOf ec2}";
      runner =
        if ec2.runner == null then
          null
        else
          {
            inherit (ec2.runner) url;
            sha256 = lib.toLower ec2.runner.hash;
          };
    };

  manifest =
    {
      # The class's name, and what EC2 calls its architecture.
      class,
      architecture,
      ec2,
    }:
    given {
      version = 1;
      inherit architecture class;
      inherit (ec2)
        publicAddress
        region
        securityGroups
        subnets
        volume
        ;
      endpoint = endpointOf ec2;
      credential = if ec2.instanceProfile then "instanceProfile" else "file";
      image =
        if ec2.image.id != null then
          { inherit (ec2.image) id; }
        else
          { newest = { inherit (ec2.image) name owner; }; };
      instanceTypes = ec2.types;
      inherit (candidatesOf ec2) candidates spot;
    };
}
