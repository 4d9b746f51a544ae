# A service or another unit as the text of its unit, in the format of NixOS: sorted
# directives, a list as one line for each entry, and what NixOS adds to every unit.
{ lib, pkgs }:

let
  # One directive; NixOS leaves out the ones without a value.
  lines =
    name: value:
    if value == null then [ ] else map (entry: "${name}=${plain entry}") (lib.toList value);
  plain = value: if builtins.isBool value then if value then "true" else "false" else toString value;
  section = directives: lib.concatLists (lib.mapAttrsToList lines directives);

  # Only what is there: NixOS leaves out empty lists, too.
  words = list: if list == [ ] then null else toString list;

  unit =
    definition:
    [ "[Unit]" ]
    ++ section (
      {
        After = words definition.after;
        Before = words definition.before;
        Description = definition.description;
        Requires = words definition.requires;
        Wants = words definition.wants;
      }
      // definition.unitConfig
    )
    ++ [ "" ];
  install =
    definition:
    lib.optionals (definition.wantedBy != [ ]) (
      [
        ""
        "[Install]"
      ]
      ++ section { WantedBy = definition.wantedBy; }
    );

  environment =
    service:
    let
      packages = service.path ++ [
        pkgs.coreutils
        pkgs.findutils
        pkgs.gnugrep
        pkgs.gnused
        pkgs.systemd
      ];
      programs = directory: map (package: "${package}/${directory}") packages;
    in
    {
      LOCALE_ARCHIVE = "${pkgs.glibcLocales}/lib/locale/locale-archive";
      PATH = lib.concatStringsSep ":" (programs "bin" ++ programs "sbin");
      TZDIR = "${pkgs.tzdata}/share/zoneinfo";
    }
    // service.environment;

  text = lib.concatMapStrings (line: "${line}\n");
in
{
  service =
    service:
    text (
      unit service
      ++ [ "[Service]" ]
      ++ lib.mapAttrsToList (name: value: "Environment=${builtins.toJSON "${name}=${value}"}") (
        lib.filterAttrs (_: value: value != null) (environment service)
      )
      ++ lib.optional (!service.restartIfChanged) "X-RestartIfChanged=false"
      ++ section service.serviceConfig
      ++ install service
    );

  slice = slice: text (unit slice ++ [ "[Slice]" ] ++ section slice.sliceConfig ++ install slice);

  timer = timer: text (unit timer ++ [ "[Timer]" ] ++ section timer.timerConfig ++ install timer);

  socket =
    socket:
    text (
      unit socket
      ++ [ "[Socket]" ]
      ++ map (address: "ListenStream=${address}") socket.listenStreams
      ++ section socket.socketConfig
      ++ install socket
    );
}
