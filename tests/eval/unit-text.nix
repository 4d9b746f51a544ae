# A service as the text of its unit, in the format of NixOS: sorted directives,
# a list as one line for each entry, and what NixOS adds to every unit.
{ lib, pkgs }:

service:

let
  # One directive; NixOS leaves out the ones without a value.
  lines =
    name: value:
    if value == null then [ ] else map (entry: "${name}=${plain entry}") (lib.toList value);
  plain = value: if builtins.isBool value then if value then "true" else "false" else toString value;
  section = directives: lib.concatLists (lib.mapAttrsToList lines directives);

  packages = service.path ++ [
    pkgs.coreutils
    pkgs.findutils
    pkgs.gnugrep
    pkgs.gnused
    pkgs.systemd
  ];
  programs = directory: map (package: "${package}/${directory}") packages;
  environment = {
    LOCALE_ARCHIVE = "${pkgs.glibcLocales}/lib/locale/locale-archive";
    PATH = lib.concatStringsSep ":" (programs "bin" ++ programs "sbin");
    TZDIR = "${pkgs.tzdata}/share/zoneinfo";
  }
  // service.environment;
in
lib.concatMapStrings (line: "${line}\n") (
  [ "[Unit]" ]
  ++ section {
    After = toString service.after;
    Description = service.description;
    Wants = toString service.wants;
  }
  ++ [
    ""
    "[Service]"
  ]
  ++ lib.mapAttrsToList (name: value: "Environment=${builtins.toJSON "${name}=${value}"}") environment
  ++ section service.serviceConfig
  ++ [
    ""
    "[Install]"
  ]
  ++ section { WantedBy = service.wantedBy; }
)
