# Packages for evaluation only: what has a name and a store path and is never
# built. A package's path can be set from outside, so that a rendered unit can
# point to programs that exist on a machine without Nix.
{
  # Name of a package → where it is.
  paths ? { },
  # Directory of the manifests; without it they are "in the store".
  manifestDirectory ? null,
  # Name of another file → where it is.
  files ? { },
}:

let
  # 32 letters as Nix writes a hash: it does not use `e`, `o`, `t` and `u`.
  storeHash =
    name:
    builtins.replaceStrings [ "e" ] [ "x" ] (
      builtins.substring 0 32 (builtins.hashString "sha256" name)
    );

  package = name: {
    type = "derivation";
    inherit name;
    outPath = paths.${name} or "/nix/store/${storeHash name}-${name}";
  };

  placeOf =
    name:
    let
      instance = builtins.match "github-runner-(.*)-manifest\\.json" name;
    in
    if manifestDirectory != null && instance != null then
      "${manifestDirectory}/${builtins.head instance}.json"
    # What is built for a unit is beside its manifest.
    else if manifestDirectory != null && builtins.match "github-runner-.*-externals" name != null then
      "${manifestDirectory}/${name}"
    # The file about all runners has a place in /etc, too.
    else if manifestDirectory != null && name == "github-runners-fleet.json" then
      "/etc/github-runners/fleet.json"
    else
      files.${name} or (package name).outPath;

  names = [
    "bashInteractive"
    "bzip2"
    "coreutils"
    "curl"
    "diffutils"
    "expat"
    "docker-client"
    "file"
    "findutils"
    "gawk"
    "git"
    "glibcLocales"
    "gmp"
    "gnugrep"
    "gnumake"
    "gnupatch"
    "gnused"
    "gnutar"
    "gzip"
    "icu"
    "incus"
    "iproute2"
    "jq"
    "krb5"
    "libffi"
    "libxcrypt-legacy"
    "libxml2"
    "ncurses"
    "nftables"
    "nix"
    "openssh"
    "openssl"
    "podman"
    "procps"
    "python3"
    "readline"
    "rsync"
    "sqlite"
    "systemd"
    "tzdata"
    "unzip"
    "util-linux"
    "wget"
    "which"
    "xz"
    "zip"
    "zlib"
    "zstd"
  ];

  # Says with which runtimes it was built, and by its path whether they are the ones
  # of its release.
  runner =
    {
      # The ones of its release.
      standard ? [ "node24" ],
      # What it can be built with.
      known ? [
        "node20"
        "node24"
      ],
      # What it was overridden with.
      given ? { },
    }:
    let
      runtimes = given.nodeRuntimes or standard;
      plain = package "github-runner";
      unknown = builtins.filter (runtime: !builtins.elem runtime known) runtimes;
    in
    plain
    // {
      inherit runtimes;
      outPath =
        if unknown != [ ] then
          throw "a package of this release cannot have ${toString unknown}"
        else if runtimes == standard then
          plain.outPath
        else
          "${plain.outPath}-with-${builtins.concatStringsSep "-" runtimes}";
      override = {
        __functionArgs.nodeRuntimes = true;
        __functor =
          _: changes:
          runner {
            inherit known standard;
            given = given // (if builtins.isFunction changes then changes given else changes);
          };
      };
    };
in
builtins.listToAttrs (
  map (name: {
    inherit name;
    value = package name;
  }) names
)
// {
  inherit package runner;

  github-runner = runner { };
  github-runner-helper = package "github-runner-helper";
  github-runnerctl = package "github-runnerctl";
  callPackage =
    file: _arguments:
    package
      {
        "github-runner-door.nix" = "github-runner-door";
        "gitlab-nspawn-executor.nix" = "gitlab-nspawn-executor";
        "garm-provider-incus-lxd.nix" = "garm-provider-incus-lxd";
        "helper.nix" = "github-runner-helper";
        "runnerctl.nix" = "github-runnerctl";
      }
      .${baseNameOf file};

  # A NixOS system, of which only the place is looked at.
  nixos = _module: {
    config.system.build = {
      toplevel = package "nixos-system-image";
      garmImage = package "garm-image";
    };
  };

  # A directory with links, of which a test looks at the list.
  linkFarm = name: entries: package name // { inherit entries; };

  stdenv = {
    buildPlatform.canExecute = _: true;
    cc.cc = package "gcc";
    hostPlatform = { };
    shellDryRun = "bash -n";
  };

  runCommand =
    name: _: command:
    package name
    // {
      inherit command;
      outPath = placeOf name;
    };

  writeText =
    name: text:
    package name
    // {
      inherit text;
      outPath = placeOf name;
    };

  writeTextFile =
    arguments:
    package arguments.name
    // arguments
    // {
      outPath = placeOf arguments.name;
    };
}
