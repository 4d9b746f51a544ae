# How a runner reaches the server, and whom it believes there: what of its unit is
# meant for its broker, too. The rest of what a job gets is none of its business.
# Takes the unit as the whole configuration makes it.
{ lib }:

let
  variables = builtins.listToAttrs (
    map (name: lib.nameValuePair name null) (import ./broker-variables.nix)
  );

  # What decides how names are looked up, and which authorities are good.
  place = "(/etc/(gai\\.conf|host\\.conf|hosts|nsswitch\\.conf|pki|resolv\\.conf|ssl)|(/var)?/run/nscd)(/[^:]*)?";
  # A bind is `SOURCE`, or `SOURCE:WHERE` and perhaps options.
  leads = entry: builtins.match "[-+]*${place}|[^:]*:${place}(:.*)?" entry != null;
in
unit:

let
  paths = name: lib.filter leads (words name);

  given = name: lib.toList (unit.serviceConfig.${name} or [ ]);
  # Entries of a directive that takes several in a line.
  words = name: lib.concatMap (value: lib.splitString " " (toString value)) (given name);

  # `NAME=value` of the directive, which wins over the option, and the last one over
  # the others; with quotes only where they are around the whole.
  assignments =
    let
      quoted = builtins.match "\"([^\"\\]*)\"";
      split = text: if quoted text == null then lib.splitString " " text else quoted text;
      assign =
        set: text:
        let
          pair = builtins.match "([A-Za-z_]+)=([^\"'\\]*)" text;
        in
        if pair == null then set else set // { ${builtins.head pair} = lib.last pair; };
    in
    builtins.foldl' assign { } (lib.concatMap (text: split (toString text)) (given "Environment"));

  joined = unit.unitConfig.JoinsNamespaceOf or null;
in
{
  inherit assignments;

  # As NixOS writes it: a path is a file of the store there.
  environment = builtins.mapAttrs (_: value: "${value}") (
    lib.filterAttrs (_: value: value != null) (
      builtins.intersectAttrs variables (unit.environment // assignments)
    )
  );

  paths = builtins.listToAttrs (
    map (name: lib.nameValuePair name (paths name)) [
      "BindPaths"
      "BindReadOnlyPaths"
      "InaccessiblePaths"
    ]
  );

  network =
    lib.optionalAttrs (given "NetworkNamespacePath" != [ ]) {
      NetworkNamespacePath = lib.last (given "NetworkNamespacePath");
    }
    // lib.optionalAttrs (joined != null) {
      inherit (unit.serviceConfig) PrivateNetwork;
    };
  unitConfig = lib.optionalAttrs (joined != null) { JoinsNamespaceOf = joined; };
}
