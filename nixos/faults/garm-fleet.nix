# What is wrong with a fleet of GARM, as a list of NixOS assertions. A pure function over values.
{
  lib,
  # Parts of the address as guests reach GARM; see ../frontends/garm-fleet-address.nix.
  guests,
  # Whether there is a GARM to run.
  hasPackage,
  # Value of `networking.nftables.enable`.
  hasNftables,
}:

# Value of `services.garm-fleet`.
options:

let
  inherit (builtins) attrNames match;
  inherit (options) incus;
  secretFile = import ./secret-file.nix { inherit lib; };
  holdsSecret = import ./secret-text.nix;
  addressOf = import ../frontends/garm-fleet-address.nix { inherit lib; };

  refuse = fault: message: {
    assertion = !fault;
    message = "`services.garm-fleet`: ${message}";
  };
  # One fault often brings others along; the first one says what to do.
  refuseSecret =
    what: content: file:
    if file == null then
      [ (refuse true "`${what}` is missing. Set it to the path of a file on the target machine.") ]
    else
      lib.take 1 (
        lib.concatMap ({ fault, message }: lib.optional fault (refuse true message)) (secretFile {
          what = "`${what}`";
          inherit content file;
          keeperOf = _: null;
          isHanded = true;
        })
      );
  each = set: check: lib.concatLists (lib.mapAttrsToList check set);

  # Of files, credentials and tables; what systemd, Incus and GARM take alike.
  isName = text: match "[A-Za-z][A-Za-z0-9_-]{0,62}" text != null;
  names =
    what: set:
    map (
      name:
      refuse (!isName name)
        "`${what}.${name}` has a name that is none. Use letters, digits, `-` and `_`, beginning with a letter."
    ) (attrNames set);

  textsOf =
    value:
    if builtins.isAttrs value then
      lib.concatMap textsOf (builtins.attrValues value)
    else if builtins.isList value then
      lib.concatMap textsOf value
    else
      lib.optional (builtins.isString value) value;

  refusePublic =
    what: value:
    refuse (lib.any holdsSecret (textsOf value)) "`${what}` holds a secret, and ends up in the store, readable by everyone. Take it away, and consider one that has been in the store as published; GARM has its credentials from `credentials`.";

  # GARM does not tell case.
  twice =
    what: set:
    lib.mapAttrsToList (
      _: same:
      refuse (builtins.length same > 1)
        "`${what}` has ${
          lib.concatMapStringsSep " and " builtins.toJSON same
        }, and GARM does not tell case. Rename one, or take it away."
    ) (builtins.groupBy lib.toLower (attrNames set));

  providers = attrNames options.providers ++ lib.optional incus.enable "incus";
  entities = options.repositories // options.organizations;
  knows =
    what: wanted: known: where:
    refuse (!builtins.elem wanted known)
      "`${what}` (${builtins.toJSON wanted}) is none of `${where}`${
        lib.optionalString (known != [ ])
          ", which has ${lib.concatMapStringsSep ", " (one: "`${one}`") known}"
      }.";

  pool =
    kind: name: value:
    let
      what = "${kind}.${name}";
      isLocal = value.provider == "incus" && incus.enable && !options.providers ? incus;
      images = attrNames incus.images ++ lib.optional options.runnerImage.enable "nixos-runner";
    in
    [
      (refusePublic "${what}.extraSpecs" value.extraSpecs)
      (knows "${what}.entity" value.entity (attrNames entities) "repositories and organizations")
      (knows "${what}.provider" value.provider providers "providers")
      (refuse (value.minIdleRunners > value.maxRunners)
        "`${what}` keeps ${toString value.minIdleRunners} runners waiting (`minIdleRunners`) and has at most ${toString value.maxRunners} (`maxRunners`). Raise the second or lower the first."
      )
    ]
    ++ lib.optionals isLocal [
      (knows "${what}.flavor" value.flavor (attrNames incus.flavors) "incus.flavors")
      (knows "${what}.image" value.image images "incus.images")
    ];

  # Settings of GARM that are promises of this module, and what to do in their place.
  promised = {
    "apiserver.bind" =
      "GARM listens on 127.0.0.1 alone. Take it away, and set `guestUrl` or `domain` for what others may see.";
    "apiserver.port" = "Use `garm.port`.";
    "apiserver.use_tls" = "Take it away: nginx has certificates, see `guestUrl` and `domain`.";
    "database.passphrase" = "Use `databasePassphraseFile`.";
    "database.sqlite3.db_file" =
      "Take it away: the database is `/var/lib/garm/garm.db`, where GARM may write.";
    "jwt_auth.secret" = "Use `jwtSecretFile`.";
  };

  here = [
    (refuse (!hasPackage)
      "nixpkgs of this host has no GARM. Set `garm.package` to a package of it, or `garm.enable = false` on a host that has instances only."
    )
    (refuse (!guests.tls && guests.address == null)
      "`guestUrl` is no address. Write `http://` with an IPv4 address of this host, or `https://` with a name, and no path."
    )
    (refuse (guests.tls && guests.address != null)
      "`guestUrl` has `https://` and a number, for which no authority makes a certificate by ACME. Use a name, or `http://`."
    )
    # nginx chooses by address before it looks at names, so nobody else would have that port there.
    (refuse
      (
        options.nginx.enable
        && !guests.tls
        && guests.port == "80"
        && guests.address != null
        && !(incus.enable && guests.address == builtins.head (lib.splitString "/" incus.network.address))
      )
      "`guestUrl` takes port 80 of ${guests.host} from all other virtual hosts of nginx, also where they prove themselves to ACME. Write a port of its own, such as `http://${guests.host}:8080`."
    )
    (refuse (options.domain != null && match "[a-z0-9.-]+" options.domain == null)
      "`domain` (${builtins.toJSON options.domain}) is no name. Write it without `https://` and without a path."
    )
    (refuse (options.guestUrl == null && !incus.enable)
      "`guestUrl` is missing: without Incus on this host there is no bridge whose address could stand for it. Set it to an address that guests reach."
    )
    (refusePublic "garm.settings" options.garm.settings)
  ]
  ++ each promised (
    name: way:
    let
      value = builtins.foldl' (
        value: key: if builtins.isAttrs value then value.${key} or null else null
      ) options.garm.settings (lib.splitString "." name);
    in
    [
      (refuse (value != null)
        "`garm.settings.${name}` is none of yours: the pass, nginx and the unit of GARM count on it. ${way}"
      )
    ]
  )
  ++ refuseSecret "jwtSecretFile" "secret" options.jwtSecretFile
  ++ refuseSecret "databasePassphraseFile" "passphrase" options.databasePassphraseFile
  ++ refuseSecret "admin.passwordFile" "password" options.admin.passwordFile
  ++ lib.concatLists (
    lib.mapAttrsToList twice {
      inherit (options)
        credentials
        endpoints
        organizations
        repositories
        ;
    }
  )
  ++ names "credentials" options.credentials
  ++ map (
    name:
    refuse (match "[A-Za-z0-9][A-Za-z0-9._-]{0,62}" name == null || lib.toLower name == "github.com")
      "`endpoints.${name}` has a name that is none. Use letters, digits, `.`, `-` and `_`, and not `github.com`, which GARM has by itself."
  ) (attrNames options.endpoints)
  ++ each options.endpoints (name: value: [ (refusePublic "endpoints.${name}" value) ])
  ++ names "providers" options.providers
  ++ each options.credentials (
    name: value:
    [
      (refusePublic "credentials.${name}.description" value.description)
      (refuse (
        (value.tokenFile == null) == (value.app == null)
      ) "`credentials.${name}` needs `tokenFile` or `app`, and one of them alone.")
      (knows "credentials.${name}.endpoint" value.endpoint (
        [ "github.com" ] ++ attrNames options.endpoints
      ) "endpoints")
    ]
    ++ lib.optionals (value.tokenFile != null) (
      refuseSecret "credentials.${name}.tokenFile" "token" value.tokenFile
    )
    ++ lib.optionals (value.app != null) (
      refuseSecret "credentials.${name}.app.keyFile" "key" value.app.keyFile
    )
  )
  ++ map (
    name:
    refuse (
      match "[A-Za-z0-9-]+/[A-Za-z0-9._-]+" name == null
    ) "`repositories.${name}` is no repository. Write `owner/name`."
  ) (attrNames options.repositories)
  ++ map (
    name:
    refuse (
      match "[A-Za-z0-9-]+" name == null
    ) "`organizations.${name}` is no organization. Write its name alone."
  ) (attrNames options.organizations)
  ++ each entities (
    name: value:
    [
      (knows "${name}.credentials" value.credentials (attrNames options.credentials) "credentials")
    ]
    ++ refuseSecret "${name}.webhookSecretFile" "secret" value.webhookSecretFile
  )
  ++ each options.pools (
    name: value:
    [
      (refuse (
        value.tags == [ ]
      ) "`pools.${name}.tags` is empty, so no job could ask for it. Name a label, such as `incus`.")
    ]
    ++ pool "pools" name value
  )
  ++ each options.scaleSets (pool "scaleSets")
  ++ each options.providers (
    name: value:
    [
      (refusePublic "providers.${name}.imageRemotes" value.imageRemotes)
      (refuse (name == "incus" && incus.enable)
        "`providers.incus` is that of this host already. Give the other one another name, or set `incus.enable = false`."
      )
      (refuse (
        (value.url == null) == (value.socket == null)
      ) "`providers.${name}` needs `url` or `socket`, and one of them alone.")
      (refuse (
        value.url != null && addressOf value.url == null || lib.hasPrefix "http:" (toString value.url)
      ) "`providers.${name}.url` is no address. Write `https://`, a name or an IPv4 address, and a port.")
      (refuse (
        (value.clientCertificateFile == null) != (value.clientKeyFile == null)
      ) "`providers.${name}` needs both `clientCertificateFile` and `clientKeyFile`, or neither.")
      (refuse (value.url != null && value.clientKeyFile == null && !incus.enable)
        "`providers.${name}.clientKeyFile` is missing: only a host with `incus.enable` makes a key of its own."
      )
    ]
    ++ lib.optionals (value.clientKeyFile != null) (
      refuseSecret "providers.${name}.clientKeyFile" "key" value.clientKeyFile
    )
  );

  limited = builtins.filter (name: incus.limits ? ${name}) [
    "cpu"
    "memory"
  ];
  instances = [
    (refuse (!hasNftables)
      "without nftables nothing keeps guests from this host, and Incus does not go with the firewall of NixOS. Leave `networking.nftables.enable` on, or set `incus.enable = false`."
    )
    (refuse (incus.storage.driver != "dir" && incus.storage.source == null)
      "`incus.storage.source` is missing: without it Incus puts a pool of `${incus.storage.driver}` into a file on a loop device. Name a data set, a volume group or a device."
    )
    (refuse (match "[0-9.]*:[0-9]+" incus.address == null)
      "`incus.address` (${builtins.toJSON incus.address}) is none. Write an IPv4 address and a port, such as `127.0.0.1:8443`."
    )
    (refuse (!isName incus.project || incus.project == "default")
      "`incus.project` (${builtins.toJSON incus.project}) has to be a name of its own, of letters, digits, `-` and `_`, and not `default`."
    )
  ]
  ++ names "incus.flavors" incus.flavors
  ++ each incus.flavors (
    name: flavor: [ (refusePublic "incus.flavors.${name}.config" flavor.config) ]
  )
  ++ names "incus.images" incus.images
  ++ names "incus.trusted" incus.trusted
  ++ each incus.flavors (
    name: flavor:
    map (
      limit:
      refuse (flavor.${limit} == null)
        "`incus.limits.${limit}` is for all instances together, so each needs one of its own. Set `incus.flavors.${name}.${limit}`."
    ) limited
  );
in
[
  (refuse (!options.garm.enable && !incus.enable)
    "neither GARM nor Incus runs here (`garm.enable`, `incus.enable`), so there is nothing. Set `enable = false`."
  )
]
++ lib.optionals options.garm.enable here
++ lib.optionals incus.enable instances
