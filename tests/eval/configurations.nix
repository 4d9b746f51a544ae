# Configurations of the kinds that people have, each with what it changes: the lines
# in which its units differ from those of a runner with nothing but an address and the
# same credential, and the fields of its manifests. So a change of what every runner
# has touches none of them.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  strict = import ./strict.nix { inherit lib pkgs; };

  # Of a step only what it does: the rest is the same for all, or in the manifest.
  step = builtins.match "([A-Za-z]+=).*/bin/(github-runner-helper|github-runnerctl) ([a-z]+) .*";
  withoutHashes =
    line:
    lib.concatStrings (lib.filter builtins.isString (builtins.split "/nix/store/[0-9a-z]{32}-" line));
  programs = builtins.match "Environment=\"PATH=(.*)\"";
  # In any order.
  units = builtins.match "(After|Before|Wants)=(.*)";

  # One entry of a list in a line.
  linesOf =
    text:
    lib.concatMap (
      line:
      if step line != null then
        [ "${builtins.head (step line)}${lib.last (step line)}" ]
      else if lib.hasPrefix "LoadCredential=given:" line then
        [ "LoadCredential=given" ]
      else if programs line != null then
        map (entry: "PATH=${withoutHashes entry}") (
          lib.filter (lib.hasSuffix "/bin") (lib.splitString ":" (builtins.head (programs line)))
        )
      else if units line != null then
        map (unit: "${builtins.head (units line)}=${unit}") (lib.splitString " " (lib.last (units line)))
      else
        [ (withoutHashes line) ]
    ) (lib.filter (line: line != "" && !lib.hasPrefix "[" line) (lib.splitString "\n" text));

  keyOf = line: builtins.head (lib.splitString "=" line);
  hasOrder =
    line:
    !builtins.elem (keyOf line) [
      "After"
      "Before"
      "Environment"
      "Wants"
    ];

  # `-` is gone and `+` is new; `^` is new and stands before one of the same name
  # that was there, where that makes a difference.
  changes =
    before: after:
    let
      isNew = line: !builtins.elem line before;
      mark =
        index: line:
        if
          hasOrder line
          && lib.any (other: keyOf other == keyOf line && !isNew other) (lib.drop (index + 1) after)
        then
          "^ ${line}"
        else
          "+ ${line}";
    in
    map (line: "- ${line}") (lib.subtractLists after before)
    ++ lib.concatLists (
      lib.imap0 (index: line: if isNew line then [ (mark index line) ] else [ ]) after
    );

  fieldsOf =
    manifest:
    lib.mapAttrsToList (name: value: "${name}=${builtins.toJSON value}") (
      removeAttrs manifest [
        "instance"
        "registration"
        "unit"
      ]
      // manifest.registration
    );

  part =
    title: lines:
    if lines == [ ] then
      ""
    else
      lib.concatMapStrings (line: "${line}\n") ([ title ] ++ lines ++ [ "" ]);

  textOf =
    file:
    let
      own = host {
        inherit (strict) pkgs;
        extra = import file;
      };
      plain = host {
        inherit (strict) pkgs;
        runners = builtins.mapAttrs (
          _: instance: runner // { inherit (instance) githubApp tokenFile; }
        ) own.instances;
      };
      manifests = strict.manifestsOf own;
      plainManifests = strict.manifestsOf plain;
    in
    lib.concatStrings (
      map (message: "refused: ${message}\n") own.failures
      ++ lib.mapAttrsToList (
        unit: text: part unit (changes (linesOf (plain.unitTexts.${unit} or "")) (linesOf text))
      ) own.unitTexts
      ++ lib.mapAttrsToList (
        instance: manifest:
        part "manifest of ${instance}" (changes (fieldsOf plainManifests.${instance}) (fieldsOf manifest))
      ) manifests
    );
in
lib.mapAttrs' (
  file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (textOf (./configurations + "/${file}"))
) (builtins.readDir ./configurations)
