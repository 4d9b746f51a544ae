# What is wrong with runners on demand, as a list of NixOS assertions. A pure function over values.
{
  lib,
  # Value of `services.ci-machines.images`.
  images,
  # All runners of this host by instance, and what the host is called.
  instances,
  hostName,
  # The runner in whose directories a path lies, or null; see keeper.nix.
  keeperOf,
  # The variables that brokers take.
  brokerVariables,
  # Class of kind `local` → the variable RUNNER_ROOT of its unit, and what it has to be.
  rootOf,
  rootOfOrders,
}:

# Value of `services.github-runner-on-demand`.
options:

let
  inherit (builtins) attrNames attrValues match;
  addressOf = import ./url.nix { inherit lib; };
  slice = import ../units/slice.nix { inherit lib; };
  holdsSecret = import ./secret-text.nix;
  secretFile = import ./secret-file.nix { inherit lib; };
  hasOwnKernel = import ../frontends/on-demand-own-kernel.nix;
  ofEc2 = import ./on-demand-ec2.nix {
    inherit
      lib
      refuse
      refuseFirst
      refuseSecret
      ;
  };

  name = "services.github-runner-on-demand";
  refuse = fault: message: {
    assertion = !fault;
    message = "`${name}`: ${message}";
  };
  # One fault often brings others along; the first one says what to do.
  refuseFirst =
    what: faults:
    lib.take 1 (
      lib.concatMap ({ fault, message }: lib.optional fault (refuse true "${what} ${message}")) faults
    );
  matches = pattern: text: match pattern text != null;
  quoted = names: lib.concatMapStringsSep ", " (one: "`${one}`") names;
  named = keep: set: attrNames (lib.filterAttrs keep set);

  page = addressOf options.url;
  isPage = lib.all ({ fault, ... }: !fault) page.faults;
  pageOwner = lib.toLower page.owner;
  # Of the page of a repository.
  pageRepository = lib.removePrefix "/" (
    lib.toLower (lib.removeSuffix "/" (builtins.head (match "https://[^/]*([^?#]*).*" options.url)))
  );

  refuseSecret =
    what: content: file:
    map ({ fault, message }: refuse fault message) (secretFile {
      inherit
        content
        file
        keeperOf
        what
        ;
      isHanded = true;
    });

  hosted = [
    "linux"
    "macos"
    "self-hosted"
    "ubuntu"
    "windows"
  ];
  nameOf = runner: lib.toLower (if runner.name == null then hostName else runner.name);
  refusePrefix =
    option: prefix:
    let
      alike = named (_: runner: lib.hasPrefix prefix (nameOf runner)) instances;
    in
    refuseFirst "`${option}` (${builtins.toJSON prefix})" [
      {
        fault = !matches "[a-z][a-z0-9_-]{1,11}" prefix;
        message = "cannot begin labels. Use 2 to 12 of `a-z`, `0-9`, `_` and `-`, the first one a letter.";
      }
      {
        fault = lib.any (label: lib.hasPrefix label prefix) hosted;
        message = "begins as labels of GitHub's own runners do, so jobs for these could come here. Choose another one.";
      }
      {
        fault = alike != [ ];
        message = "begins the name of the runner ${quoted (lib.take 1 alike)} of this host, which could be taken for that of an order. Choose another one, or give the runner another `name`.";
      }
    ];

  # What has units and sockets of these names already.
  taken = named (
    instance: _:
    builtins.elem instance [
      "door"
      "on-demand"
    ]
    || lib.hasPrefix "on-demand-" instance
  ) instances;

  ofRepository =
    repository:
    {
      forks,
      ownerId,
      proofs,
      ...
    }:
    let
      owner = lib.toLower (builtins.head (lib.splitString "/" repository));
      classes = named (
        _: class: class.allowForks == null && !hasOwnKernel class && hasOneKind class
      ) options.classes;
      what = "`repositories.${builtins.toJSON repository}`";
      takesAnybody = builtins.elem "none" proofs;
    in
    refuseFirst what [
      {
        fault = !matches "[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+" repository;
        message = "is not called `OWNER/NAME`. Write the name as its page at GitHub has it.";
      }
      {
        fault =
          isPage
          && !page.isEnterprise
          && (if page.isRepository then lib.toLower repository != pageRepository else owner != pageOwner);
        message = "does not belong to ${options.url}, so runners that are registered there cannot work for it. Remove it, or register the runners elsewhere with another `url`.";
      }
    ]
    ++ [
      (refuse (builtins.elem "oidc" proofs && ownerId == null)
        "${what} takes ID tokens (`oidc`) and has no `ownerId`, by which they are judged. Set it: `gh api users/${builtins.head (lib.splitString "/" repository)} --jq .id` prints it."
      )
      (refuse (takesAnybody && options.limits.unproven == null)
        "${what} takes requests without a proof (`none`), so whoever knows the address gets runners. Say how many at a time by `limits.unproven`, or remove `none`."
      )
      (refuse ((forks || takesAnybody) && classes != [ ])
        "${what} serves ${
          if forks then "pull requests from forks" else "whoever asks (`none`), forks included"
        }, and ${
          quoted (map (class: "classes.${class}") classes)
        } would run the code of strangers beside this host's own, with its kernel. Say `allowForks = false` there to keep it for other runs, `true` if they may, or use virtual machines."
      )
    ];

  kindsOf =
    class:
    named (_: value: value != null) {
      inherit (class)
        ec2
        incus
        local
        nspawn
        ;
    };
  hasOneKind = class: builtins.length (kindsOf class) == 1;
  isGoodName = matches "[a-z0-9_]{1,16}";

  ofClass =
    class: value:
    let
      what = "`classes.${class}`";
    in
    [
      (refuse (
        !isGoodName class
      ) "${what} cannot be part of names of runners and units. Use 1 to 16 of `a-z`, `0-9` and `_`.")
      (refuse (!isGoodName value.architecture)
        "`classes.${class}.architecture` (${builtins.toJSON value.architecture}) cannot be part of a label. Use 1 to 16 of `a-z`, `0-9` and `_`."
      )
      (refuse (
        kindsOf value == [ ]
      ) "${what} has nothing that makes machines. Set one of `local`, `nspawn`, `incus` and `ec2`.")
      (refuse (
        builtins.length (kindsOf value) > 1
      ) "${what} has several kinds of machines, ${quoted (kindsOf value)}. Make a class of each.")
      (refuse (value.ttl < 60 || value.ttl > 6 * 60 * 60)
        "`classes.${class}.ttl` is ${toString value.ttl} seconds. Use one minute to six hours (`6h`); a machine that may live longer costs more than anybody notices."
      )
      (refuse (
        value.pricePerHour > 0 && value.ec2 == null && options.limits.costPerDay == null
      ) "${what} has a price, and nothing limits what a day costs. Set `limits.costPerDay`.")
      (refuse (value.nspawn != null && !images ? ${value.nspawn.image})
        "`classes.${class}.nspawn.image` is ${builtins.toJSON value.nspawn.image}, which is none of `services.ci-machines.images`. ${
          if images == { } then "Add it there" else "Use one of ${quoted (attrNames images)}, or add it there"
        }."
      )
    ]
    ++ lib.optionals (value.ec2 != null) (ofEc2 {
      inherit class value;
      inherit (options.limits) costPerDay;
    })
    ++ lib.optionals (value.local != null && isGoodName class) (
      refuseFirst "`classes.${class}.local`: The limit" (
        slice.faults "resources" value.local.resources
        ++ slice.faults "resources.pool" value.local.resources.pool
      )
      ++ [
        (refuse (rootOf class != rootOfOrders)
          "`classes.${class}.local`: `RUNNER_ROOT`, in `extraEnvironment` or in the unit's `environment`, would make runners look for their registration where it is not. Remove it."
        )
      ]
    );

  repeated =
    keyOf: lib.filter (all: builtins.length all > 1) (attrValues (builtins.groupBy keyOf repositories));
  repositories = attrNames options.repositories;
  refuseRepeated =
    what: keyOf:
    map (
      all:
      refuse true "`repositories` has ${quoted all} with the same ${what}, and GitHub knows one repository of it. Remove all but one."
    ) (repeated keyOf);

  app = options.githubApp;
in
refuseFirst "`address` (${builtins.toJSON options.address})" [
  {
    fault = !lib.hasPrefix "https://" options.address;
    message = "does not start with `https://`. ID tokens travel to it; use `https://`.";
  }
  {
    fault = !matches "https://[A-Za-z0-9.-]+(:[0-9]{1,5})?" options.address;
    message = "is not a host alone. Write `https://HOST`, without a path and without a slash at its end.";
  }
  {
    fault = options.nginx.enable && matches ".*:[0-9]+" options.address;
    message = "names a port, and nginx listens at the usual one. Remove it, or `nginx.enable`.";
  }
]
++ refuseFirst "`url` (${options.url})" page.faults
++ [
  (refuse (
    options.tokenFile == null && app == null
  ) "Nothing can register runners. Set `githubApp` or `tokenFile`.")
  (refuse (options.tokenFile != null && app != null)
    "Both `tokenFile` and `githubApp` are set, and only one of them can register runners. Remove the other one."
  )
  (refuse (options.runnerGroup != null && isPage && page.isRepository)
    "`runnerGroup` does not go together with the `url` of a repository, because GitHub offers no way to look up the groups there. Remove it, or register runners for the organization."
  )
  (refuse
    (
      options.runnerGroup != null
      && !matches "[^[:cntrl:]]*[^[:cntrl:][:space:]][^[:cntrl:]]*" options.runnerGroup
    )
    "`runnerGroup` is blank, or holds a line break or another control character. Write its name as GitHub has it."
  )
  (refuse (taken != [ ])
    "the units of the runner ${quoted (lib.take 1 taken)} in `services.github-runners` would have the names that those of runners on demand have. Rename it; the name that GitHub shows is a separate option, `name`."
  )
  (refuse (
    repositories == [ ]
  ) "`repositories` is empty, so nobody could order a runner. Add the ones that may.")
  (refuse (options.classes == { }) "`classes` is empty, so there is nothing to order. Add one.")
]
++ lib.optionals (options.tokenFile != null) (refuseSecret "`tokenFile`" "token" options.tokenFile)
++ lib.optionals (app != null) (
  refuseSecret "`githubApp.privateKeyFile`" "key" app.privateKeyFile
  ++ refuseFirst "`githubApp`" (
    [
      {
        fault = !matches "[A-Za-z0-9._-]+" app.id;
        message = "has an `id` (${builtins.toJSON app.id}) that is neither a client id nor a number. Copy it from the page of the App at GitHub.";
      }
    ]
    # Of a page that is wrong, the owner is, too.
    ++ lib.optionals (isPage) [
      {
        fault = page.isEnterprise;
        message = "cannot register runners of an enterprise, because GitHub lets no App administer these. Register them for an organization.";
      }
      {
        fault = app.login != null && lib.toLower app.login != pageOwner;
        message = "is installed by ${builtins.toJSON app.login}, its `login` says, but `url` belongs to ${builtins.toJSON page.owner}. Correct one of them, or remove `login`.";
      }
    ]
  )
)
++ refusePrefix "prefix" options.prefix
++ lib.optionals (options.compatible.prefix != null) (
  refusePrefix "compatible.prefix" options.compatible.prefix
)
++ lib.concatLists (
  lib.mapAttrsToList (
    variable: value:
    refuseFirst "`brokerEnvironment.${variable}`" [
      {
        fault = !builtins.elem variable brokerVariables;
        message = "is no variable that brokers take. They take ${quoted brokerVariables}.";
      }
      {
        fault = !matches "[^[:cntrl:]]*" value;
        message = "holds a line break or another control character. Remove it.";
      }
      {
        fault = holdsSecret value;
        message = "holds what looks like a token of GitHub or a private key, and would end up in the store, where everyone can read it. Keep it in the file of `tokenFile` or `githubApp`; and consider one that has been in the store as published.";
      }
    ]
  ) options.brokerEnvironment
)
++ lib.concatLists (lib.mapAttrsToList ofRepository options.repositories)
++ refuseRepeated "name" lib.toLower
++ lib.optionals (repeated lib.toLower == [ ]) (
  refuseRepeated "`id`" (repository: toString options.repositories.${repository}.id)
)
++ lib.concatLists (lib.mapAttrsToList ofClass options.classes)
